// How far a number lies from the one it should be.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

namespace voxmark {

// Relative to the larger of 1 and the expected number; infinite where either is not a number.
inline double relative_error(double found, double expected) {
  const double error = std::abs(found - expected) / std::max(1.0, std::abs(expected));
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

}  // namespace voxmark

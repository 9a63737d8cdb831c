// A product of matrices by a backend's library: what the library can do at most, for limits.
#pragma once

#include <functional>
#include <string>
#include <variant>

#include "backends/backend.h"

namespace voxmark {

struct MatrixProduct {
  // Computes it once, on as many threads as OpenMP is set to. Throws Error (cannot_here) where the
  // library fails.
  std::function<void()> run;
  double flops = 0;
  std::string implementation;  // the library's name for it
};

using ProductOrReason = std::variant<MatrixProduct, Unsupported>;

}  // namespace voxmark

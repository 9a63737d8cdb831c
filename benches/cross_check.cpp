#include "benches/cross_check.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace voxmark {
namespace {

// Two correct steps differ by rounding that grows with the number of voxels summed: oneDNN 2.6's
// single-precision variance alone is off by 2.4e-3 at 240x240x144. What this check is for, a kernel
// that computes something else at this shape, is off by far more. The rounding itself is bounded at
// the verification shape.
constexpr double kFloatTolerance = 5e-3;
constexpr double kBfloatTolerance = 5e-2;
constexpr double kDoubleTolerance = 1e-8;

// Below this share of the largest gradient norm a norm is rounding noise: most biases stand before
// a batch norm, and have a gradient of zero.
constexpr double kNoiseShare = 1e-3;

double tolerance_of(Precision precision) {
  switch (precision) {
    case Precision::fp64:
      return kDoubleTolerance;
    case Precision::fp32:
      return kFloatTolerance;
    case Precision::bf16:
      return kBfloatTolerance;
  }
  return kFloatTolerance;
}

std::string shape_key(const CaseSpec& spec) {
  CaseSpec shape;
  shape.backend = "any";
  shape.image = spec.image;
  shape.batch = spec.batch;
  shape.network = spec.network;
  shape.data = spec.data;
  shape.seed = spec.seed;
  return case_key(to_json(shape));
}

bool differ(const std::string& a, const std::string& b) {
  return !a.empty() && !b.empty() && a != b;
}

}  // namespace

CrossCheckResult CrossCheck::compare(const FirstStep& expected, const FirstStep& found) {
  CrossCheckResult result;
  result.against = expected.backend;
  result.tolerance = std::max(tolerance_of(expected.precision), tolerance_of(found.precision));
  if (differ(expected.batch_sha256, found.batch_sha256) ||
      differ(expected.weights_sha256, found.weights_sha256)) {
    result.mismatch = "its batch or initial weights are not those of " + expected.backend;
    return result;
  }
  const auto consider = [&](const std::string& tensor, double error) {
    if (!(error <= result.error)) {
      result.tensor = tensor;
      result.error = error;
    }
  };
  result.tensor = "loss";
  consider("loss", std::abs(found.loss - expected.loss) / std::max(1.0, std::abs(expected.loss)));
  double largest = 0;
  for (const auto& [name, norm] : expected.gradient_norms) {
    largest = std::max(largest, norm);
  }
  for (const auto& [name, norm] : expected.gradient_norms) {
    const auto other = found.gradient_norms.find(name);
    if (other != found.gradient_norms.end()) {
      const double scale = std::max({norm, kNoiseShare * largest, 1e-30});
      consider(name, std::abs(other->second - norm) / scale);
    }
  }
  if (!(result.error <= result.tolerance)) {
    result.mismatch =
        fmt::format("first step at this shape: {} differs from {}'s by {:.2g}, tolerance {:.2g}",
                    result.tensor, expected.backend, result.error, result.tolerance);
  }
  return result;
}

CrossCheckResult CrossCheck::check(const CaseSpec& spec, const Exchange& exchange) {
  const StepMessage& step = exchange.steps.front();
  const FirstStep found{spec.backend,
                        spec.precision,
                        exchange.ready->batch_sha256,
                        exchange.ready->weights_sha256,
                        step.loss,
                        step.gradient_norms};
  const auto [first, inserted] = first_steps_.try_emplace(shape_key(spec), found);
  if (inserted) {
    return {};
  }
  return compare(first->second, found);
}

}  // namespace voxmark

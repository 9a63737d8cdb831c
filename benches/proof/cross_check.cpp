#include "benches/proof/cross_check.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/contender.h"
#include "benches/protocol/peers.h"
#include "workloads/network/structure.h"

namespace voxmark {
namespace {

// What this check is for is a kernel that computes something else at this shape: a product of dims
// past 2^31, a tile that is left out. Rounding is bounded at the verification shape; here it has to
// be let pass. The loss is a mean over all voxels and hardly feels it.
struct Tolerances {
  double loss;  // relative, where the loss is above 1
  // Relative. With initial weights many values lie next to ReLU's 0, and a correct fp32 step takes
  // the other side of some: by that gradients of the coarse levels differ by 4% at 32x32x32.
  double gradient_norm;
};

Tolerances tolerances_of(Rounding rounding) {
  switch (rounding) {
    case Rounding::fp64:
      return {1e-8, 1e-6};
    case Rounding::fp32:
      return {1e-3, 0.1};
    case Rounding::bf32:
      // Products are rounded as in bf16, and take as many values to ReLU's other side (0.13 at
      // 48x48x48); the loss is not (8e-6 there).
      return {5e-3, 0.3};
    case Rounding::bf16:
      return {2e-2, 0.3};
  }
  return {};
}

// Below this share of the largest gradient norm a norm is rounding noise: most biases stand before
// a batch norm, and have a gradient of zero.
constexpr double kNoiseShare = 1e-2;

// Whether statistics are those of all images of the step.
bool are_shared(const CaseSpec& spec) { return spec.ranks == 1 || spec.batch_norm == "global"; }

// Batch norm of a single value is its beta, 0 at first, and what rounding adds decides on which
// side of ReLU's kink it lies: gradients of the coarsest level mean nothing there.
bool has_one_value_at_the_coarsest_level(const CaseSpec& spec) {
  constexpr std::int64_t kStride = 16;  // four poolings
  const std::int64_t images = are_shared(spec) ? spec.ranks * spec.batch : spec.batch;
  return images == 1 && std::max({spec.image.d, spec.image.h, spec.image.w}) <= kStride;
}

// Gradients that decide nothing in this case, by the names that gradient_norms has.
std::set<std::string> undecided_by_rounding(const CaseSpec& spec) {
  const Program program = training_program(spec);
  std::set<std::string> names;
  // A bias before a batch norm has a gradient of zero in exact arithmetic, one of a transposed
  // convolution (with a convolution between) nearly so: what is not rounding comes of the borders.
  // In bf16 that rounding has no scale among the other gradients.
  for (const ConvolutionPlace& place : convolution_places(program)) {
    if (spec.precision == Precision::bf16 && !place.makes_logits) {
      names.insert("gradient/" + program.tensor(place.bias).name);
    }
  }
  if (has_one_value_at_the_coarsest_level(spec)) {
    for (const TensorId id : parameters_on_level(program, coarsest_level(program))) {
      names.insert("gradient/" + program.tensor(id).name);
    }
  }
  return names;
}

// Equal for cases whose first steps have the same loss and gradients, on however many ranks: with
// statistics of each rank's own images it matters which images are whose.
std::string step_key(const CaseSpec& spec) {
  const std::string inputs = inputs_key(spec);
  return are_shared(spec) ? inputs : fmt::format("{} {} {}", inputs, spec.batch_norm, spec.ranks);
}

bool differ(const std::string& a, const std::string& b) {
  return !a.empty() && !b.empty() && a != b;
}

}  // namespace

CrossCheckResult CrossCheck::compare(const FirstStep& expected, const FirstStep& found) {
  const auto is_left_out = [&](const std::string& name) {
    return expected.undecided.contains(name) || found.undecided.contains(name);
  };
  CrossCheckResult result;
  result.against = expected.backend;
  if (differ(expected.batch_sha256, found.batch_sha256) ||
      differ(expected.weights_sha256, found.weights_sha256)) {
    result.mismatch = "its batch or initial weights are not those of " + expected.backend;
    return result;
  }
  const Rounding coarser = std::max(expected.rounding, found.rounding);
  const Tolerances tolerances = tolerances_of(coarser);
  // The worst is what comes closest to its tolerance, or is furthest beyond it; NaN is infinitely
  // so.
  double worst = -1;
  const auto consider = [&](const std::string& tensor, double difference, double tolerance) {
    const double error =
        std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
    if (error / tolerance > worst) {
      worst = error / tolerance;
      result.tensor = tensor;
      result.error = error;
      result.tolerance = tolerance;
    }
  };
  double largest = 0;
  for (const auto& [name, norm] : expected.gradient_norms) {
    largest = std::max(largest, norm);
  }
  for (const auto& [name, norm] : expected.gradient_norms) {
    const auto other = found.gradient_norms.find(name);
    if (other != found.gradient_norms.end() && !is_left_out(name)) {
      const double scale = std::max({norm, kNoiseShare * largest, 1e-30});
      consider(name, std::abs(other->second - norm) / scale, tolerances.gradient_norm);
    }
  }
  consider("loss", std::abs(found.loss - expected.loss) / std::max(1.0, std::abs(expected.loss)),
           tolerances.loss);
  if (!(result.error <= result.tolerance)) {
    result.mismatch =
        fmt::format("first step at this shape: {} differs from {}'s by {:.2g}, tolerance {:.2g}",
                    result.tensor, expected.backend, result.error, result.tolerance);
  }
  return result;
}

bool CrossCheck::has_ours(const CaseSpec& spec) const {
  const auto known = first_steps_.find(step_key(spec));
  return known != first_steps_.end() &&
         std::any_of(known->second.begin(), known->second.end(),
                     [](const FirstStep& step) { return step.by_our_child; });
}

CrossCheckResult CrossCheck::check(const CaseSpec& spec, const Exchange& exchange) {
  const StepMessage& step = exchange.steps.front();
  const FirstStep found{spec.backend,
                        runs_our_child(spec.backend),
                        rounding_of(spec.backend, spec.precision),
                        exchange.ready->batch_sha256,
                        exchange.ready->weights_sha256,
                        step.loss,
                        step.gradient_norms,
                        undecided_by_rounding(spec)};
  std::vector<FirstStep>& known = first_steps_[step_key(spec)];
  const auto first_other = [&](bool by_our_child) {
    return std::find_if(known.begin(), known.end(), [&](const FirstStep& step_of) {
      return step_of.backend != found.backend && step_of.by_our_child == by_our_child;
    });
  };
  auto other = first_other(true);
  if (other == known.end() && !found.by_our_child) {
    other = first_other(false);
  }
  CrossCheckResult result = other == known.end() ? CrossCheckResult{} : compare(*other, found);
  const bool is_new = std::none_of(known.begin(), known.end(), [&](const FirstStep& step_of) {
    return step_of.backend == found.backend;
  });
  if (is_new && !result.mismatch) {
    known.push_back(found);
  }
  return result;
}

}  // namespace voxmark

#include "backends/verify/verify_sums.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace voxmark {
namespace {

// Whether a prediction that is off by `tolerance` may make another class of the voxel. `voxel`: the
// prediction's channels; a single one is decided at 0.5, several by the largest.
bool is_undecided(std::span<const double> voxel, double tolerance) {
  if (voxel.size() == 1) {
    return std::abs(voxel[0] - 0.5) <= tolerance;
  }
  double largest = -std::numeric_limits<double>::infinity();
  double second = largest;
  for (const double p : voxel) {
    second = std::max(second, std::min(p, largest));
    largest = std::max(largest, p);
  }
  return largest - second <= 2 * tolerance;
}

// Voxels of one sample. `predictions`: (voxels, channels).
double count_undecided(std::span<const double> predictions, std::size_t channels,
                       double tolerance) {
  double count = 0;
  for (std::size_t i = 0; i < predictions.size(); i += channels) {
    count += is_undecided(predictions.subspan(i, channels), tolerance) ? 1 : 0;
  }
  return count;
}

double distance(double found, double expected) {
  const double error = std::abs(found - expected);
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

}  // namespace

std::vector<TensorCheck> check_sums(std::span<const ClassSums> found,
                                    const StepReference& reference, double tolerance) {
  // Sums of 0 and 1 are whole numbers, exact in double. Of hard predictions as many may differ as
  // there are voxels whose class the tolerance leaves open.
  constexpr double kHalfAVoxel = 0.5;
  std::array<TensorCheck, 6> checks = {{{"sums/prediction_target", 0, tolerance},
                                        {"sums/prediction", 0, tolerance},
                                        {"sums/target", 0, kHalfAVoxel},
                                        {"sums/target_hard", 0, kHalfAVoxel},
                                        {"sums/hard", 0, kHalfAVoxel},
                                        {"sums/correct", 0, kHalfAVoxel}}};
  const std::vector<ClassSums>& expected = reference.sums;
  if (found.size() != expected.size()) {
    for (TensorCheck& check : checks) {
      check.error = std::numeric_limits<double>::infinity();
    }
    return {checks.begin(), checks.end()};
  }
  const std::size_t per_sample =
      reference.prediction.size() / static_cast<std::size_t>(reference.images);
  const std::size_t channels = expected.size() / static_cast<std::size_t>(reference.images);
  const std::size_t voxel_count = per_sample / channels;
  const auto voxels = static_cast<double>(voxel_count);
  double undecided = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (i % channels == 0) {
      undecided = count_undecided(
          std::span(reference.prediction).subspan(i / channels * per_sample, per_sample), channels,
          tolerance);
    }
    const ClassSums& own = found[i];
    const ClassSums& right = expected[i];
    const std::array<double, 6> errors = {
        distance(own.prediction_target, right.prediction_target) / std::max(1.0, right.target),
        distance(own.prediction, right.prediction) / voxels,
        distance(own.target, right.target),
        std::max(0.0, distance(own.target_hard, right.target_hard) - undecided),
        std::max(0.0, distance(own.hard, right.hard) - undecided),
        std::max(0.0, distance(own.correct, right.correct) - undecided)};
    for (std::size_t kind = 0; kind < checks.size(); ++kind) {
      checks[kind].error = std::max(checks[kind].error, errors[kind]);
    }
  }
  return {checks.begin(), checks.end()};
}

}  // namespace voxmark

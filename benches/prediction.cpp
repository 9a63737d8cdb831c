#include "benches/prediction.h"

#include <fmt/format.h>

#include <algorithm>

#include "workloads/cost.h"

namespace voxmark {
namespace {

std::string key(const CaseSpec& spec) {
  return fmt::format("{} {} {}", spec.backend, to_string(spec.precision), spec.threads);
}

double step_flops(const CaseSpec& spec) {
  return static_cast<double>(flops(training_program(spec)));
}

}  // namespace

void Prediction::learn(const CaseSpec& spec, double step_seconds) {
  seconds_per_flop_[key(spec)] = step_seconds / step_flops(spec);
}

std::optional<double> Prediction::steps_seconds(const CaseSpec& spec) const {
  const auto known = seconds_per_flop_.find(key(spec));
  if (known == seconds_per_flop_.end()) {
    return std::nullopt;
  }
  return known->second * step_flops(spec) * (spec.warmup + spec.steps);
}

std::optional<double> Prediction::steps_seconds_at_most(const CaseSpec& spec) const {
  const auto slowest =
      std::max_element(seconds_per_flop_.begin(), seconds_per_flop_.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (slowest == seconds_per_flop_.end()) {
    return std::nullopt;
  }
  const double guess = slowest->second * step_flops(spec) * (spec.warmup + spec.steps);
  return steps_seconds(spec).value_or(guess);
}

}  // namespace voxmark

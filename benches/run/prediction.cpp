#include "benches/run/prediction.h"

#include <fmt/format.h>

#include <algorithm>

#include "benches/protocol/case_work.h"
#include "workloads/network/cost.h"

namespace voxmark {
namespace {

std::string key(const CaseSpec& spec) {
  return fmt::format("{} {} {} {} {}", spec.backend, to_string(spec.precision), spec.threads,
                     spec.ranks, spec.copies);
}

std::string start_key(const CaseSpec& spec, bool is_first) {
  return fmt::format("{} {}", key(spec), is_first ? "first" : "later");
}

std::string memory_key(const CaseSpec& spec) {
  return fmt::format("{} {} {} {} {}", key(spec), spec.network.filters, spec.network.input_channels,
                     spec.network.classes, spec.isa);
}

std::int64_t batch_voxels(const CaseSpec& spec) { return spec.batch * spec.image.voxels(); }

double step_flops(const CaseSpec& spec) {
  return static_cast<double>(flops(training_program(spec)));
}

}  // namespace

void Prediction::learn(const CaseSpec& spec, double step_seconds) {
  seconds_per_flop_[key(spec)] = step_seconds / step_flops(spec);
}

void Prediction::learn_start(const CaseSpec& spec, double seconds) {
  double& known = start_seconds_[start_key(spec, spec.process == 0)];
  known = std::max(known, seconds);
}

std::optional<double> Prediction::process_seconds(const CaseSpec& spec) const {
  const std::optional<double> steps = steps_seconds(spec);
  auto start = start_seconds_.find(start_key(spec, spec.process == 0));
  if (start == start_seconds_.end()) {
    start = start_seconds_.find(start_key(spec, true));  // a later one takes no longer
  }
  return steps && start != start_seconds_.end() ? std::optional(*steps + start->second)
                                                : std::nullopt;
}

void Prediction::learn_peak(const CaseSpec& spec, std::int64_t peak_bytes) {
  std::int64_t& known = peaks_[memory_key(spec)][batch_voxels(spec)];
  known = std::max(known, peak_bytes);
}

std::optional<std::int64_t> Prediction::peak_bytes(const CaseSpec& spec) const {
  const auto known = peaks_.find(memory_key(spec));
  if (known == peaks_.end() || known->second.size() < 2) {
    return std::nullopt;
  }
  const auto [least_voxels, least_bytes] = *known->second.begin();
  const auto [most_voxels, most_bytes] = *known->second.rbegin();
  const double slope = static_cast<double>(most_bytes - least_bytes) /
                       static_cast<double>(most_voxels - least_voxels);
  return most_bytes +
         static_cast<std::int64_t>(slope * static_cast<double>(batch_voxels(spec) - most_voxels));
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

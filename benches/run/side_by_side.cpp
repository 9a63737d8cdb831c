#include "benches/run/side_by_side.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <limits>

namespace voxmark {
namespace {

constexpr double kLeastShare = 0.9;

// On the runner's clock.
struct Interval {
  double begin = -std::numeric_limits<double>::infinity();
  double end = std::numeric_limits<double>::infinity();
};

Interval interval_of(const Exchange& copy, std::size_t step) {
  return {copy.told_at[step] - copy.steps[step].step_seconds, copy.told_at[step]};
}

Interval common_time(std::span<const Exchange> copies, int warmup) {
  Interval common;
  for (const Exchange& copy : copies) {
    const std::size_t first_timed = static_cast<std::size_t>(warmup);
    if (copy.steps.size() <= first_timed) {
      return {0, 0};
    }
    const double begin =
        warmup > 0 ? copy.told_at[first_timed - 1] : interval_of(copy, first_timed).begin;
    common = {std::max(common.begin, begin), std::min(common.end, copy.told_at.back())};
  }
  return common;
}

double share_within(const Interval& step, const Interval& common) {
  const double both = std::min(step.end, common.end) - std::max(step.begin, common.begin);
  return step.end > step.begin ? both / (step.end - step.begin) : 0;
}

}  // namespace

SideBySide side_by_side(std::span<const Exchange> copies, int warmup) {
  const Interval common = common_time(copies, warmup);
  SideBySide found;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    std::vector<bool>& alone = found.alone.emplace_back(copies[i].steps.size(), false);
    bool has_any = false;
    for (std::size_t step = static_cast<std::size_t>(warmup); step < alone.size(); ++step) {
      alone[step] =
          copies.size() > 1 && share_within(interval_of(copies[i], step), common) < kLeastShare;
      has_any = has_any || !alone[step];
    }
    if (!has_any && !found.apart) {
      found.apart = fmt::format(
          "copy {} ran no timed step while all others ran theirs: more --steps or --warmup", i + 1);
    }
  }
  if (found.apart) {
    for (std::vector<bool>& alone : found.alone) {
      std::fill(alone.begin(), alone.end(), false);
    }
  }
  return found;
}

std::vector<double> counted_seconds(std::span<const Exchange> copies, std::size_t index,
                                    const SideBySide& times) {
  std::vector<double> seconds;
  const Exchange& copy = copies[index];
  for (std::size_t step = 0; step < copy.steps.size(); ++step) {
    if (!copy.steps[step].warmup && !times.alone[index][step]) {
      seconds.push_back(copy.steps[step].step_seconds);
    }
  }
  return seconds;
}

}  // namespace voxmark

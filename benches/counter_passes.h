// Steps that are counted, each group of events in a step of its own, after those that are timed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "benches/counters.h"

namespace voxmark {

class CounterPasses {
 public:
  // Opens every group: before the first OpenMP region. `events` as counter_groups() reads them.
  explicit CounterPasses(const std::string& events);

  // Runs `step` once per group. {"events": {name: {"value", "running_fraction"} or {"value": null,
  // "reason"}}, "derived": {...}, "user_space_only", "passes", "reason" where hardware is missing}.
  // `step_flops`: nominal ones of a step.
  Json run(const std::function<void()>& step, double step_flops);

 private:
  std::vector<Counters> groups_;
};

}  // namespace voxmark

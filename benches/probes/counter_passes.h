// Steps that are counted, each group of events in a step of its own, after those that are timed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "benches/probes/counters.h"

namespace voxmark {

class CounterPasses {
 public:
  // Opens every group: before the first OpenMP region.
  explicit CounterPasses(const std::vector<CounterGroup>& groups);

  // Runs `step` once per group that has an event to count. {"events": {name: {"value",
  // "running_fraction"} or {"value": null, "reason"}}, "derived": {...}, "user_space_only",
  // "passes"}. `step_flops`: nominal ones of a step.
  Json run(const std::function<void()>& step, double step_flops);

 private:
  struct Group {
    CounterGroup events;
    Counters counters;
  };
  std::vector<Group> groups_;
};

}  // namespace voxmark

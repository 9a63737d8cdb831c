#include "benches/counter_passes.h"

namespace voxmark {

CounterPasses::CounterPasses(const std::string& events) {
  for (const CounterGroup& group : counter_groups(events)) {
    groups_.emplace_back(group);
  }
}

Json CounterPasses::run(const std::function<void()>& step, double step_flops) {
  CounterValues values;
  int passes = 0;
  bool user_space_only = false;
  for (Counters& group : groups_) {
    group.start();
    const bool is_open = group.is_open();  // else there is nothing to run a step for
    if (is_open) {
      step();
      ++passes;
    }
    for (auto& [event, value] : group.stop()) {
      // An event of several groups: from the one that has it with the others of its figures.
      if ((is_open && value.value) || !values.contains(event)) {
        values[event] = std::move(value);
      }
    }
    user_space_only = user_space_only || group.user_space_only();
  }
  Json events = Json::object();
  for (const auto& [event, value] : values) {
    events[event] = to_json(value);
  }
  return {{"events", std::move(events)},
          {"derived", derived_figures(values, step_flops)},
          {"user_space_only", user_space_only},
          {"passes", passes}};
}

}  // namespace voxmark

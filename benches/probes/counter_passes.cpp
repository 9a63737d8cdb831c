#include "benches/probes/counter_passes.h"

#include <algorithm>
#include <utility>

namespace voxmark {

CounterPasses::CounterPasses(const std::vector<CounterGroup>& groups) {
  for (const CounterGroup& events : groups) {
    groups_.push_back({events, Counters(events)});
  }
}

Json CounterPasses::run(const std::function<void()>& step, double step_flops) {
  CounterValues values;
  int passes = 0;
  bool user_space_only = false;
  for (Group& group : groups_) {
    Counters& counters = group.counters;
    const bool tells = std::ranges::any_of(group.events, [&](const std::string& event) {
      return counters.is_open(event) && !(values.contains(event) && values.at(event).value);
    });
    if (!tells) {
      values.merge(counters.missing());
      continue;
    }
    counters.start();
    step();
    ++passes;
    for (auto& [event, value] : counters.stop()) {
      // An event of several groups: from the one that has it with the others of its figures.
      if (value.value || !values.contains(event)) {
        values[event] = std::move(value);
      }
    }
    user_space_only = user_space_only || counters.user_space_only();
  }
  Json events = Json::object();
  for (const auto& [event, value] : values) {
    events[event] = to_json(value);
  }
  Json derived = derived_figures(values, step_flops);
  Json& frequency = derived["frequency_hz"];
  if (user_space_only &&
      !frequency.at("value").is_null()) {  // the task clock runs on in the kernel
    frequency = to_json(missing_counter("cycles: of user space alone"));
  }
  return {{"events", std::move(events)},
          {"derived", std::move(derived)},
          {"user_space_only", user_space_only},
          {"passes", passes}};
}

}  // namespace voxmark

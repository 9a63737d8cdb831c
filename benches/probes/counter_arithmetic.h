// What readings of performance counters mean. Pure: no kernel, no PMU.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace voxmark {

// As the kernel tells them: cumulative, since the counter was opened.
struct CounterReading {
  std::uint64_t value = 0;
  std::uint64_t enabled_ns = 0;  // how long it was asked to count, over all threads
  std::uint64_t running_ns = 0;  // how long it did; less where counters had to share
};

CounterReading difference(const CounterReading& from, const CounterReading& to);

// A multiplexed count is scaled up from the time it ran; below this fraction it is a guess.
constexpr double kMinRunningFraction = 0.9;

// A count, or why there is none; never 0 for "not there".
struct CounterValue {
  std::optional<double> value;
  double running_fraction = 1;
  std::string reason;
};

CounterValue counter_value(const CounterReading& during);
CounterValue missing_counter(const std::string& reason);

// {"value", "running_fraction"} or {"value": null, "reason"}.
Json to_json(const CounterValue& value);

// By event name.
using CounterValues = std::map<std::string, CounterValue>;

// Figures made of counts, each with the counters that it came from: {"instructions_per_cycle",
// "frequency_hz", "cache_miss_fraction", "bytes_per_flop"}, as {"value", "from": [...]} or null
// with the reason of the counter that is missing. `nominal_flops`: of the work that was counted.
Json derived_figures(const CounterValues& values, double nominal_flops);

// Joules between two readings of a counter of microjoules that starts again at its range.
double joules_between(std::uint64_t from_microjoules, std::uint64_t to_microjoules,
                      std::uint64_t range_microjoules);

}  // namespace voxmark

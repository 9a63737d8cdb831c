#include "benches/probes/counter_arithmetic.h"

#include <fmt/format.h>

namespace voxmark {
namespace {

constexpr double kCacheLineBytes = 64;

// numerator / denominator * factor; the reason of the first counter that is missing otherwise.
Json quotient(const CounterValues& values, const std::string& numerator,
              const std::string& denominator, double factor) {
  for (const std::string& name : {numerator, denominator}) {
    const auto found = values.find(name);
    const bool known = found != values.end();
    if (!known || !found->second.value) {
      return {{"value", nullptr},
              {"reason", name + ": " + (known ? found->second.reason : "not counted")}};
    }
  }
  const double below = *values.at(denominator).value;
  if (below == 0) {
    return {{"value", nullptr}, {"reason", denominator + " is 0"}};
  }
  return {{"value", factor * *values.at(numerator).value / below},
          {"from", {numerator, denominator}}};
}

}  // namespace

CounterReading difference(const CounterReading& from, const CounterReading& to) {
  return {to.value - from.value, to.enabled_ns - from.enabled_ns, to.running_ns - from.running_ns};
}

CounterValue counter_value(const CounterReading& during) {
  if (during.enabled_ns == 0) {
    return missing_counter("was never enabled");
  }
  if (during.running_ns == 0) {
    return missing_counter("never ran: other users hold the hardware's counters");
  }
  const double fraction =
      static_cast<double>(during.running_ns) / static_cast<double>(during.enabled_ns);
  if (fraction < kMinRunningFraction) {
    return missing_counter(
        fmt::format("ran {:.0f}% of the time, too little to scale from", 100 * fraction));
  }
  return {static_cast<double>(during.value) / fraction, fraction, ""};
}

CounterValue missing_counter(const std::string& reason) { return {std::nullopt, 0, reason}; }

Json to_json(const CounterValue& value) {
  if (!value.value) {
    return {{"value", nullptr}, {"reason", value.reason}};
  }
  return {{"value", *value.value}, {"running_fraction", value.running_fraction}};
}

Json derived_figures(const CounterValues& values, double nominal_flops) {
  constexpr double kNanosecondsPerSecond = 1e9;
  CounterValues with_work = values;
  with_work["nominal_flops"] = {nominal_flops, 1, ""};
  return {
      {"instructions_per_cycle", quotient(values, "instructions", "cycles", 1)},
      {"frequency_hz", quotient(values, "cycles", "task-clock", kNanosecondsPerSecond)},
      {"cache_miss_fraction", quotient(values, "cache-misses", "cache-references", 1)},
      {"bytes_per_flop", quotient(with_work, "cache-misses", "nominal_flops", kCacheLineBytes)}};
}

double joules_between(std::uint64_t from_microjoules, std::uint64_t to_microjoules,
                      std::uint64_t range_microjoules) {
  const std::uint64_t microjoules = to_microjoules >= from_microjoules
                                        ? to_microjoules - from_microjoules
                                        : to_microjoules + range_microjoules - from_microjoules;
  return 1e-6 * static_cast<double>(microjoules);
}

}  // namespace voxmark

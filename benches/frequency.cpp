#include "benches/frequency.h"

#include <fmt/format.h>
#include <sched.h>

#include <fstream>
#include <utility>

#include "benches/counter_arithmetic.h"

namespace voxmark {
namespace {

constexpr double kHertzPerKilohertz = 1e3;

}  // namespace

FrequencyMeter::FrequencyMeter(bool with_counters, std::string root) : root_(std::move(root)) {
  if (!with_counters) {
    without_counters_ = "no counters asked for";
    return;
  }
  Counters counters({"cycles", "task-clock"});
  if (counters.is_open()) {
    counters_.emplace(std::move(counters));
  } else {
    without_counters_ = counters.stop().at("cycles").reason;
  }
}

void FrequencyMeter::start() {
  if (counters_) {
    counters_->start();
  }
}

std::optional<double> FrequencyMeter::stop() {
  if (!counters_) {
    return cpufreq_hz();
  }
  const Json figure = derived_figures(counters_->stop(), 0).at("frequency_hz");
  return figure.at("value").is_number() ? std::optional(figure.at("value").get<double>())
                                        : std::nullopt;
}

std::optional<double> FrequencyMeter::cpufreq_hz() const {
  std::ifstream file(fmt::format("{}/sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq", root_,
                                 sched_getcpu()));
  double kilohertz = 0;
  return file >> kilohertz && kilohertz > 0 ? std::optional(kHertzPerKilohertz * kilohertz)
                                            : std::nullopt;
}

Json FrequencyMeter::source() const {
  if (counters_) {
    return {{"source", counters_->user_space_only() ? "cycles in user space / task-clock"
                                                    : "cycles / task-clock"}};
  }
  if (cpufreq_hz()) {
    return {{"source", "cpufreq, of the main thread's CPU when the step had ended"}};
  }
  return {{"source", nullptr},
          {"reason", "cycles: " + without_counters_ + "; no cpufreq on this machine"}};
}

}  // namespace voxmark

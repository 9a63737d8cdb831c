#include "benches/probes/frequency.h"

#include <fmt/format.h>
#include <sched.h>

#include <fstream>
#include <utility>

#include "benches/probes/readings.h"

namespace voxmark {
namespace {

constexpr double kHertzPerKilohertz = 1e3;

}  // namespace

FrequencyMeter::FrequencyMeter(bool with_counters, std::string root) : root_(std::move(root)) {
  if (!with_counters) {
    without_counter_ = "no counters asked for";
    return;
  }
  Counters counters({"cycles"});
  if (counters.is_open("cycles")) {
    counter_.emplace(std::move(counters));
  } else {
    without_counter_ = counters.missing().at("cycles").reason;
  }
}

void FrequencyMeter::start() {
  if (counter_) {
    getrusage(RUSAGE_SELF, &start_);
    counter_->start();
  }
}

std::optional<double> FrequencyMeter::stop() {
  if (!counter_) {
    return cpufreq_hz();
  }
  const CounterValue cycles = counter_->stop().at("cycles");
  rusage now = {};
  getrusage(RUSAGE_SELF, &now);
  const Json used = usage_between(start_, now);
  const double user = used.at("user_seconds").get<double>();
  const double seconds =
      counter_->user_space_only() ? user : user + used.at("system_seconds").get<double>();
  return cycles.value && seconds > 0 ? std::optional(*cycles.value / seconds) : std::nullopt;
}

std::optional<double> FrequencyMeter::cpufreq_hz() const {
  std::ifstream file(fmt::format("{}/sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq", root_,
                                 sched_getcpu()));
  double kilohertz = 0;
  return file >> kilohertz && kilohertz > 0 ? std::optional(kHertzPerKilohertz * kilohertz)
                                            : std::nullopt;
}

FrequencySource FrequencyMeter::source() const {
  if (counter_) {
    return {
        counter_->user_space_only() ? "cycles / CPU time, both in user space" : "cycles / CPU time",
        {}};
  }
  if (cpufreq_hz()) {
    return {"cpufreq, of the main thread's CPU when the step had ended", {}};
  }
  return {{}, "cycles: " + without_counter_ + "; no cpufreq on this machine"};
}

}  // namespace voxmark

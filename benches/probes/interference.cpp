#include "benches/probes/interference.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <sstream>

namespace voxmark {

std::optional<std::string> steal_taint(double steal_seconds, double step_seconds, int threads) {
  const bool is_much = steal_seconds >= kStealResolutionSeconds &&
                       steal_seconds > kMaxStealFraction * step_seconds * threads;
  return is_much
             ? std::optional(fmt::format("the hypervisor took {:.3g} s of CPU time", steal_seconds))
             : std::nullopt;
}

std::optional<double> busy_seconds(const std::string& stat, long ticks_per_second,
                                   const cpu_set_t& cpus) {
  std::istringstream lines(stat);
  std::string line;
  std::int64_t ticks = 0;
  int found = 0;
  while (std::getline(lines, line) && line.starts_with("cpu")) {
    std::istringstream words(line.substr(3));
    std::size_t cpu = 0;
    std::int64_t user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0;
    if (line.starts_with("cpu ") ||  // all together
        !(words >> cpu >> user >> nice >> system >> idle >> waiting >> irq >> softirq) ||
        !CPU_ISSET(cpu, &cpus)) {
      continue;
    }
    ticks += user + nice + system + irq + softirq;
    ++found;
  }
  return found == CPU_COUNT(&cpus)
             ? std::optional(static_cast<double>(ticks) / static_cast<double>(ticks_per_second))
             : std::nullopt;
}

std::optional<std::string> others_taint(double others_seconds, double elapsed_seconds,
                                        int threads) {
  const bool is_much = others_seconds > kOthersResolutionSeconds &&
                       others_seconds > kMaxRunDelayFraction * elapsed_seconds * threads;
  return is_much ? std::optional(
                       fmt::format("other programs used {:.3g} s of CPU time", others_seconds))
                 : std::nullopt;
}

std::optional<std::string> canary_taint(double before, double after, double fastest) {
  const double slower = std::max(before, after);
  return slower > kMaxCanaryRatio * fastest
             ? std::optional(fmt::format(
                   "a fixed piece of work took {:.2f} times as long as before", slower / fastest))
             : std::nullopt;
}

double lost_seconds(const Json& readings, int threads, int copies) {
  // The quota stops all threads at once.
  return readings.value("run_delay_seconds", 0.0) + readings.value("steal_seconds", 0.0) / copies +
         threads * readings.value("throttled_seconds", 0.0);
}

std::vector<std::string> taints(const Json& readings, double step_seconds, int threads,
                                int copies) {
  std::vector<std::string> found;
  const double all_seconds = step_seconds * threads;
  const double steal = readings.value("steal_seconds", 0.0);
  if (auto reason = steal_taint(steal, step_seconds, copies * threads)) {
    found.push_back(*std::move(reason));
  }
  const double throttled = readings.value("throttled_seconds", 0.0);
  if (throttled > kMaxThrottledFraction * step_seconds) {
    found.push_back(fmt::format("throttled for {:.3g} s by the cgroup's CPU quota", throttled));
  }
  const double waited = readings.value("run_delay_seconds", 0.0);
  if (waited > kMaxRunDelayFraction * all_seconds) {
    found.push_back(
        fmt::format("threads waited {:.0f}% of the time for a CPU", 100 * waited / all_seconds));
  }
  if (const auto faults = readings.value("major_faults", std::int64_t{0}); faults > 0) {
    found.push_back(fmt::format("{} major page faults", faults));
  }
  return found;
}

bool is_tainted(std::size_t tainted_steps, std::size_t steps) { return 3 * tainted_steps > steps; }

double canary_seconds() {
  constexpr int kTries = 5;
  constexpr int kRounds = 500000;  // of four dependent instructions: about 2 ms
  using Clock = std::chrono::steady_clock;
  double best = std::numeric_limits<double>::infinity();
  volatile std::uint64_t consumed = 0;
  for (int i = 0; i < kTries; ++i) {
    const Clock::time_point start = Clock::now();
    std::uint64_t state = 88172645463325252U;  // xorshift64: each round needs the one before
    for (int round = 0; round < kRounds; ++round) {
      state ^= state << 13U;
      state ^= state >> 7U;
      state ^= state << 17U;
    }
    consumed = state;
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  static_cast<void>(consumed);
  return best;
}

}  // namespace voxmark

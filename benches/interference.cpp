#include "benches/interference.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

namespace voxmark {

std::vector<std::string> taints(const Json& readings, double step_seconds, int threads) {
  std::vector<std::string> found;
  const double all_seconds = step_seconds * threads;
  const double steal = readings.value("steal_seconds", 0.0);
  if (steal >= kStealResolutionSeconds && steal > kMaxStealFraction * all_seconds) {
    found.push_back(fmt::format("the hypervisor took {:.3g} s of CPU time", steal));
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

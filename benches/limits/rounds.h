// Short rounds of the same work on all threads, timed together, until there are enough of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

namespace voxmark {

struct RoundSeconds {
  double best = 0;
  double median = 0;
};

// Rounds of `work` for `budget_seconds`, at least five of them after one to warm up.
template <class Work>
RoundSeconds timed_rounds(double budget_seconds, const Work& work) {
  constexpr std::size_t kLeast = 5;
  constexpr std::size_t kMost = 1000;
  using Clock = std::chrono::steady_clock;
  work();
  std::vector<double> seconds;
  const Clock::time_point begin = Clock::now();
  Clock::time_point before = begin;
  while (seconds.size() < kLeast ||
         (seconds.size() < kMost &&
          std::chrono::duration<double>(before - begin).count() < budget_seconds)) {
    work();
    const Clock::time_point after = Clock::now();
    seconds.push_back(std::chrono::duration<double>(after - before).count());
    before = after;
  }
  std::sort(seconds.begin(), seconds.end());
  return {seconds.front(), seconds[seconds.size() / 2]};
}

}  // namespace voxmark

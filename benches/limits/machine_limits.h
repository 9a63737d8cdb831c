// What this machine can do at most, measured here and now: arithmetic in fp32 and bf16, and memory
// bandwidth. The denominators of every "how much is left" question.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "benches/limits/rounds.h"
#include "results/run_facts.h"

namespace voxmark {

// On `threads` OpenMP threads, in about a second and a half, in three times that where other
// programs disturb it. Takes memory for three arrays of triad_array_bytes() each; call it in a
// process of its own.
//
// Each rate is the best of many short rounds, since whatever else runs here only takes away; beside
// it, *_median, whose distance from the best says how quiet the machine was. Triad counts 24 bytes
// per element, as STREAM does: the lines read only to be written are not counted. What could not be
// measured is nothing, and its reason in `reasons`. `interference` says what disturbed each rate in
// all of its tries; it may be too low.
MachineLimits machine_limits(int threads);

// Rounds that were timed, and what disturbed them meanwhile.
struct TimedTry {
  RoundSeconds seconds;
  std::vector<std::string> interference;
};

// Tries three times at most to be undisturbed. Keeps the fastest rounds, since what disturbs only
// takes away, and what disturbed the last try: nothing once one was free of it.
template <class Try>
TimedTry least_disturbed(Try timed_try) {
  constexpr int kMostRepeats = 2;
  TimedTry best = timed_try();
  for (int i = 0; i < kMostRepeats && !best.interference.empty(); ++i) {
    TimedTry next = timed_try();
    if (next.seconds.best < best.seconds.best) {
      best.seconds = next.seconds;
    }
    best.interference = std::move(next.interference);
  }
  return best;
}

// Four times the last-level caches. Half of that where less than eight such arrays fit into the
// room for them: three arrays of twice the caches still leave nothing of one round to the next.
std::int64_t triad_array_bytes(std::int64_t cache_bytes, std::int64_t room_bytes);

// Bytes of the last-level caches that `threads` threads can reach together, each a cache of its own
// where there are as many. `cpus`: the folder of /sys/devices/system/cpu.
std::int64_t last_level_cache_bytes(int threads,
                                    const std::string& cpus = "/sys/devices/system/cpu");

}  // namespace voxmark

// Whether something else ran while a step was timed: the signs of it in a sample's readings, and
// how much of each is too much. Pure, but for the canary.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/json.h"

namespace voxmark {

// Limits, as fractions of the step's seconds on all of its threads. A sample is tainted beyond.
constexpr double kMaxStealFraction = 0.01;
constexpr double kMaxThrottledFraction = 0.001;   // of the step's seconds: a quota has set in
constexpr double kMaxRunDelayFraction = 0.02;     // the spread that processes have anyway
constexpr double kStealResolutionSeconds = 0.02;  // /proc/stat counts in ticks of 10 ms

// What taints a sample: "waited 12% of the time for a CPU", ... Empty: nothing seen. `readings` as
// benches/readings.h tells them.
std::vector<std::string> taints(const Json& readings, double step_seconds, int threads);

// The process is the sample: tainted when more than a third of its steps are, since the median of
// the others would still be undisturbed with fewer.
bool is_tainted(std::size_t tainted_steps, std::size_t steps);

// Seconds of a fixed piece of arithmetic on one thread, the best of several: about 10 ms in all.
// Between cases it tells whether the CPU itself has become slower.
double canary_seconds();

// A canary this much slower than the fastest of a run means another clock frequency or a busy CPU.
constexpr double kMaxCanaryRatio = 1.10;

}  // namespace voxmark

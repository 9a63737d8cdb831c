// Whether something else ran while a step was timed: the signs of it in a sample's readings, and
// how much of each is too much. Pure, but for the canary.
#pragma once

#include <sched.h>

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace voxmark {

// Limits, as fractions of the step's seconds on all of its threads. A sample is tainted beyond.
constexpr double kMaxStealFraction = 0.01;
constexpr double kMaxThrottledFraction = 0.001;    // of the step's seconds: a quota has set in
constexpr double kMaxRunDelayFraction = 0.02;      // the spread that processes have anyway
constexpr double kStealResolutionSeconds = 0.02;   // /proc/stat counts in ticks of 10 ms
constexpr double kOthersResolutionSeconds = 0.05;  // it charges whole ticks to whom they find

// What taints a sample: "waited 12% of the time for a CPU", ... Empty: nothing seen. `readings` as
// benches/probes/readings.h tells them.
// Of `copies` processes with as many threads each, that run at once: time stolen from the machine
// was stolen from all of them.
std::vector<std::string> taints(const Json& readings, double step_seconds, int threads,
                                int copies = 1);

// CPU seconds that others took from a step's threads, as far as its readings tell.
double lost_seconds(const Json& readings, int threads, int copies = 1);

// Of one step, or of several together: ticks that none of short steps shows add up.
std::optional<std::string> steal_taint(double steal_seconds, double step_seconds, int threads);

// CPU seconds that anybody used on `cpus`: user, nice, system, irq and softirq of their "cpuN"
// lines of /proc/stat. Nothing where a CPU of `cpus` has no such line.
std::optional<double> busy_seconds(const std::string& stat, long ticks_per_second,
                                   const cpu_set_t& cpus);

// What taints a process beside which others used `others_seconds` of its CPUs in `elapsed_seconds`.
std::optional<std::string> others_taint(double others_seconds, double elapsed_seconds, int threads);

// The process is the sample: tainted when more than a third of its steps are, since the median of
// the others would still be undisturbed with fewer.
bool is_tainted(std::size_t tainted_steps, std::size_t steps);

// Seconds of a fixed piece of arithmetic on one thread, the best of several: about 10 ms in all.
// Before and after a process it tells whether the CPU itself has become slower. Of other programs
// it sees nothing: the best of several short pieces finds a free moment.
double canary_seconds();

// A canary this much slower than the fastest of a run means another clock frequency.
constexpr double kMaxCanaryRatio = 1.10;

// What the slower of two canaries says, beside the fastest of the run.
std::optional<std::string> canary_taint(double before, double after, double fastest);

}  // namespace voxmark

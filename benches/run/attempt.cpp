#include "benches/run/attempt.h"

#include <algorithm>
#include <cstdint>

#include "benches/probes/interference.h"

namespace voxmark {

const Exchange& Attempt::timed() const {
  const auto failed =
      std::ranges::find_if(copies, [](const Exchange& own) { return own.fault.has_value(); });
  return failed == copies.end() ? copies.front() : *failed;
}

bool Attempt::is_tainted() const {
  return voxmark::is_tainted(tainted_steps, steps) || whole_process;
}

void Attempt::taint_whole(std::optional<std::string> reason) {
  if (reason) {
    whole_process = true;
    reasons.insert(*std::move(reason));
  }
}

void Attempt::judge_steps(const CaseSpec& spec) {
  const int threads = spec.copies * spec.threads;
  // What a copy reads as stolen from the machine was stolen from all of them.
  double steal = 0, seconds = 0, lost = 0;
  for (const Exchange& copy : copies) {
    for (const StepMessage& step : copy.steps) {
      if (step.warmup) {
        continue;
      }
      const auto found = taints(step.readings, step.step_seconds, spec.threads, spec.copies);
      ++steps;
      tainted_steps += found.empty() ? 0U : 1U;
      reasons.insert(found.begin(), found.end());
      steal += step.readings.value("steal_seconds", 0.0) / spec.copies;
      lost += lost_seconds(step.readings, spec.threads, spec.copies);
      seconds += step.step_seconds / spec.copies;
    }
  }
  taint_whole(steal_taint(steal, seconds, threads));
  lost_fraction += seconds > 0 ? lost / (seconds * threads) : 0;
}

Disturbance Attempt::disturbed() const {
  return {is_tainted(), static_cast<std::int64_t>(tainted_steps), lost_fraction,
          std::vector(reasons.begin(), reasons.end()), canary_seconds};
}

DiscardedTry Attempt::discarded() const {
  DiscardedTry found{disturbed(), {}};
  for (const StepMessage& step : copies.front().steps) {
    if (!step.warmup) {
      found.step_seconds = found.step_seconds.value_or(std::vector<double>());
      found.step_seconds->push_back(step.step_seconds);
    }
  }
  return found;
}

}  // namespace voxmark

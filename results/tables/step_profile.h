// Where a step goes: its seconds by kind of work and direction, from the stages of steps that were
// watched. For reading, never a timing sample.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "results/record.h"

namespace voxmark {

struct ProfilePart {
  std::string kind;       // "convolution"
  std::string direction;  // "forward", "backward_weights", ..., "recomputed", "update"
  double seconds = 0;     // median over processes
};

struct StepProfile {
  Json spec = Json::object();      // of the case, without "process"
  std::vector<ProfilePart> parts;  // none: its child tells no seconds of stages
  double step_seconds = 0;         // of the timed steps, median over processes
};

// One per case that publishes times, in the order of their first appearance. The update is not
// watched: its part are the timed steps' update_seconds.
std::vector<StepProfile> step_profiles(std::span<const Record> records);

// A table per workload, the backends side by side: milliseconds, and shares of what was watched.
// Last the sum of it, and the timed step. Empty where nothing was watched.
std::string render_profiles(std::span<const StepProfile> profiles);

}  // namespace voxmark

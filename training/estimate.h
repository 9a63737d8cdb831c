// What a training run will take, before anything of its size is allocated.
#pragma once

#include <cstdint>

#include "training/trainer.h"

namespace voxmark {

struct Estimate {
  std::int64_t step_bytes = 0;  // planned, for a training step
  double step_seconds = 0;
  double total_seconds = 0;  // of all epochs' steps and of validation and test
};

// The plan is the backend's own. Seconds are those of one small step (64 voxels per axis at most,
// one image), scaled by nominal FLOPs: a guess, since larger images may run at another speed.
// Scoring counts as a forward pass over each case, as if it had the dims of `options.image`.
// Throws Error (cannot_here) when the backend cannot run the program.
Estimate estimate(const TrainingOptions& options, const SubjectParts& parts);

}  // namespace voxmark

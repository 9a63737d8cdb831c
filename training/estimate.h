// What a training run will take, before anything of its size is allocated.
#pragma once

#include <cstdint>

#include "training/host_memory.h"
#include "training/trainer.h"

namespace voxmark {

struct Estimate {
  TrainingMemory memory;  // planned
  bool fits = false;      // into options.memory_bytes
  bool tiled = false;     // whole images do not: predictions will be blended from tiles
  double step_seconds = 0;
  double total_seconds = 0;  // of all epochs' steps and of validation and test
};

// The plans are the backend's own, with the dims of the data set's first image. Seconds are those
// of the fastest of some small steps (64 voxels per axis at most, one image), scaled by nominal
// FLOPs: a guess, since larger images may run at another speed, and other programs beside it. Of
// several ranks, the small steps are those of one, alone: neither the others' use of the memory's
// bandwidth nor what they tell each other is in the seconds.
// Scoring counts as a forward pass over each case. Throws Error (cannot_here) when the backend
// cannot run the program.
Estimate estimate(const TrainingOptions& options, const SubjectParts& parts);

}  // namespace voxmark

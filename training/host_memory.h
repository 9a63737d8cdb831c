// What training takes beside the backend's plans: batches and images read ahead, copies of the
// weights, the volumes that predictions are gathered in. Reckoned before anything is allocated.
#pragma once

#include <cstdint>

#include "training/training_options.h"
#include "workloads/network.h"
#include "workloads/program.h"

namespace voxmark {

struct HostMemory {
  std::int64_t batches = 0;     // held or in the making
  std::int64_t images = 0;      // that batches are cut from and predictions made of
  std::int64_t weights = 0;     // of prediction, and of a checkpoint that is being written
  std::int64_t prediction = 0;  // of one image, gathered from its pieces

  std::int64_t total() const { return batches + images + weights + prediction; }
};

// `step`: the training program. Images are reckoned with the dims of the data set's first.
HostMemory host_memory(const TrainingOptions& options, const Program& step,
                       const SubjectParts& parts);

// Beside the plans of a prediction: the image as it was read, what its prediction is gathered in,
// and copies of the weights. `program`: one that has the weights.
std::int64_t bytes_beside_prediction(const UnetOptions& network, const Program& program,
                                     const Dims& volume);

// How many batches, and images, are held or in the making at most.
int batches_ahead(const TrainingOptions& options);
int images_ahead(const TrainingOptions& options);

// How the step is compiled: `beside` bytes of the memory are for other things.
CompileOptions step_options(const TrainingOptions& options, std::int64_t beside);

// Beside a step: host_memory(), and the least that a prediction needs, a tile of the training's
// window.
std::int64_t bytes_beside_step(const TrainingOptions& options, const Program& step,
                               const SubjectParts& parts);

}  // namespace voxmark

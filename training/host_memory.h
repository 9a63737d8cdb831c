// What training takes beside the backend's plans: batches and images read ahead, copies of the
// weights, the volumes that predictions are gathered in. Reckoned before anything is allocated.
#pragma once

#include <cstdint>
#include <string>

#include "training/training_options.h"
#include "workloads/network/network.h"
#include "workloads/network/program.h"

namespace voxmark {

struct HostMemory {
  std::int64_t batches = 0;     // held or in the making
  std::int64_t images = 0;      // that batches are cut from and predictions made of
  std::int64_t weights = 0;     // of prediction, and of a checkpoint that is being written
  std::int64_t prediction = 0;  // of one image, gathered from its pieces; 0: none is scored

  std::int64_t total() const { return batches + images + weights + prediction; }
};

// All that a training run takes, in parts that a reader can add up.
struct TrainingMemory {
  std::int64_t step = 0;       // the backend's plan without a limit: what `voxmark plan` says
  std::int64_t for_speed = 0;  // more than that: kept instead of computed again, as there is room
  std::int64_t saved = 0;      // less than that: computed again, as there is none
  HostMemory host;
  std::int64_t prediction = 0;  // plans of predictions: whole images, or tiles

  std::int64_t step_taken() const { return step + for_speed - saved; }
  std::int64_t total() const { return step_taken() + host.total() + prediction; }
};

// `step`: the training program, which takes `step_bytes` as it is compiled for the run.
TrainingMemory training_memory(const TrainingOptions& options, const Program& step,
                               const SubjectParts& parts, std::int64_t step_bytes,
                               std::int64_t prediction_bytes);

// "step 1.13 GiB, kept for speed 512 MiB, reading ahead ..."; parts that are nothing are left out.
std::string to_string(const TrainingMemory& memory);

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

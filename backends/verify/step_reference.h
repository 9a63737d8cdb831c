// What the reference, naive in double, computes in one step: what every backend is verified
// against.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "workloads/network/weights.h"

namespace voxmark {

// What the reference computed for one program, batch and set of weights.
struct StepReference {
  std::int64_t images = 0;
  double loss = 0;
  std::vector<ClassSums> sums;  // (N, C)
  std::vector<double> prediction;
  std::map<std::string, std::vector<double>> gradients;          // by parameter name
  std::map<std::string, std::vector<double>> contributions;      // sums of absolute contributions
  std::map<std::string, std::vector<double>> moving_statistics;  // after update()
};

// One step of naive in fp64. `program` is a training program. With `collectives`: the step of all
// ranks, as this one is to find it.
StepReference reference_step(const Program& program, const Weights& weights, const Batch& batch,
                             int threads, Collectives* collectives = nullptr);
// Of the same sizes, zeros.
StepReference empty_reference(const Program& program);

// What a rank that has `count` images of the batch, from image `first` on, is to find: the loss and
// the gradients of all, the sums and predictions of its own.
StepReference reference_of_images(const StepReference& reference, std::int64_t first,
                                  std::int64_t count);

// A reference as a safetensors file, so that it is computed once and not once per backend.
void save_reference(const std::string& path, const StepReference& reference);
// Throws Error (bad_input) when the file is none.
StepReference load_reference(const std::string& path);

}  // namespace voxmark

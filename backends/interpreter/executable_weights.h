// An executable's tensors as vectors of doubles: one of them, or all weights by name.
#pragma once

#include <vector>

#include "backends/backend.h"
#include "workloads/network/weights.h"

namespace voxmark {

// The values of a tensor that the executable can read.
std::vector<double> read_tensor(const Executable& executable, const Program& program, TensorId id);

// Every persistent tensor of the program that `executable` was compiled from. `weights` may hold
// more: those of a training program serve inference.
void set_weights(Executable& executable, const Program& program, const Weights& weights);
Weights read_weights(const Executable& executable, const Program& program);

}  // namespace voxmark

// Which ops run as one: the one place where ops merge. Pure.
#pragma once

#include <span>
#include <vector>

#include "backends/plan/schedule.h"
#include "workloads/network/program.h"

namespace voxmark::onednn {

struct StageOps {
  std::vector<OpId> ops;
  std::vector<TensorId> internal;  // written and read inside the stage only: never in memory
  bool recomputed = false;         // brings back a tensor that was dropped
};

// The stages of a schedule, in its order. `readable` tensors stay in memory.
std::vector<StageOps> merge_ops(const Program& program, const Schedule& schedule,
                                std::span<const TensorId> readable);

// Ops on predictions, logits and targets.
bool is_prediction_op(const Op& op);

// Convolutions and their gradients.
bool is_convolution_op(const Op& op);

// Ops computed by loops of our own that take some channels of a wider tensor in place.
bool runs_on_views(const Op& op);

}  // namespace voxmark::onednn

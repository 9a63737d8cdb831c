// Which activations are kept from the forward pass and which are computed again: the one place
// where memory is traded for time. Pure; the mathematics does not change, nor do the bits.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "backends/onednn/kernels/planned_stage.h"
#include "backends/onednn/kernels/stages.h"

namespace voxmark::onednn {

// Bytes of scratch of a stage.
using ScratchBytes = std::function<std::int64_t(const StageOps&)>;

struct RecomputationGoal {
  // Bytes for activations, gradients of activations and scratch: go no lower than this.
  std::int64_t transient_bytes = 0;
  // Nor spend more than this share of the step's time, as estimated from FLOPs and bytes.
  double extra_time_share = 0;
};

// The schedule that comes nearest to the goal, dropping first what saves most bytes per second.
Schedule choose_schedule(const Context& context, const ScratchBytes& scratch,
                         const RecomputationGoal& goal, std::span<const TensorId> readable);

// The share of a step's time, by the same estimate, that a schedule's recomputed ops add.
double extra_time_share(const Context& context, const Schedule& schedule);

}  // namespace voxmark::onednn

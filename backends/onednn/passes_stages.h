// Everything between the convolutions: each op, or merged group of ops, as a pass of ../passes.h.
#pragma once

#include "backends/onednn/kernels/planned_stage.h"
#include "backends/onednn/kernels/stages.h"

namespace voxmark::onednn {

// For stages of anything but convolutions and transposed convolutions.
PlannedStage plan_passes(const Context& context, const StageOps& stage);

}  // namespace voxmark::onednn

// The 1x1x1 convolution that makes the logits: many channels to few, voxel by voxel. A loop of our
// own, because oneDNN is slow at it.
#pragma once

#include "backends/onednn/kernels/planned_stage.h"

namespace voxmark::onednn {

// Whether sigmoid or softmax reads a convolution's output.
bool makes_logits(const Program& program, const Convolution& op);
// Whether it makes logits, is 1x1x1 and has few outputs.
bool is_pointwise(const Program& program, const Convolution& op);

PlannedStage plan_pointwise(const Context& context, const Convolution& op);
PlannedStage plan_pointwise(const Context& context, const ConvolutionBackwardData& op);
PlannedStage plan_pointwise(const Context& context, const ConvolutionBackwardWeights& op);

}  // namespace voxmark::onednn

// backward_weights of a convolution whose input has one channel, stored as ncdhw. oneDNN has only a
// reference loop for it with AVX2.
#pragma once

#include "backends/onednn/kernels/planned_stage.h"

namespace voxmark::onednn {

PlannedStage plan_one_channel(const Context& context, const ConvolutionBackwardWeights& op);

}  // namespace voxmark::onednn

// backward_weights of convolutions on blocked layouts, as register-blocked loops. oneDNN's AVX2
// kernel takes no padding in depth, and what it has instead (gemm) reaches 25 to 70 GFLOP/s per
// core where these loops reach 80 to 90 (measured, Zen 3).
#pragma once

#include "backends/onednn/kernels/planned_stage.h"

namespace voxmark::onednn {

// Whether the layouts of the op's tensors are those the loops are written for.
bool runs_on_blocks(const Context& context, const ConvolutionBackwardWeights& op);

PlannedStage plan_blocked_weights(const Context& context, const ConvolutionBackwardWeights& op);

}  // namespace voxmark::onednn

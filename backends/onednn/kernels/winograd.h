// 3x3x3 convolutions and their gradients by Winograd's algorithm: a third of the products, the same
// sums in exact arithmetic. oneDNN has it for 2D only.
#pragma once

#include "backends/onednn/kernels/planned_stage.h"

namespace voxmark::onednn {

// Whether a convolution between these tensors, or a gradient of one, runs here: decided by layout,
// kernel, channels and whether the extents are even, not by size, so that a small image is computed
// by the same code as a large one of the same parity.
bool runs_by_winograd(const Context& context, TensorId input, TensorId kernel, TensorId output);

// Kernels and their gradients lie in the program's layout.
PlannedStage plan_winograd(const Context& context, const Convolution& op);
PlannedStage plan_winograd(const Context& context, const ConvolutionBackwardData& op);
PlannedStage plan_winograd(const Context& context, const ConvolutionBackwardWeights& op);

}  // namespace voxmark::onednn

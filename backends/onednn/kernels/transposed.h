// Transposed convolutions, 2x2x2 with stride 2, as matrix products of our own: windows do not
// overlap, so each output voxel is one row of input times one tap's kernel. They read and write
// halves of concatenations in place, which oneDNN's cannot.
#pragma once

#include "backends/onednn/kernels/planned_stage.h"

namespace voxmark::onednn {

PlannedStage plan_transposed(const Context& context, const TransposedConvolution& op);
PlannedStage plan_transposed(const Context& context, const TransposedConvolutionBackwardData& op);
PlannedStage plan_transposed(const Context& context,
                             const TransposedConvolutionBackwardWeights& op);

}  // namespace voxmark::onednn

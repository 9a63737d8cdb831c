// backward_weights of a convolution whose input has one channel, stored as ncdhw. oneDNN has only a
// reference loop for it with AVX2 (5 s against 3 ms at 64x64x64, measured).
#pragma once

#include "backends/onednn/code.h"

namespace voxmark::onednn {

StageCode one_channel_code(const Context& context, const ConvolutionBackwardWeights& op);

}  // namespace voxmark::onednn

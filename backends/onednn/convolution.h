// Convolutions and their gradients, the one place where it is decided what computes them. In this
// order: Winograd's algorithm (winograd.h); for weight gradients of which oneDNN has only reference
// loops, one_channel.h or blocked_weights.h; else oneDNN's primitive, made once.
//
// Activations keep their own layout wherever oneDNN has more than a reference loop for it; else
// the primitive runs in another layout between reorders. Every choice is in the stage's
// implementation string.
#pragma once

#include "backends/onednn/kernels/planned_stage.h"

namespace voxmark::onednn {

// Fixes the layouts of all fp32 kernels of the program, and with them those of gradients and
// optimizer state: what the forward primitives prefer; in bf16, where these read rounded copies,
// what the weight gradients' do. `context.parameters` is not read.
ParameterFormats choose_parameter_formats(const Context& context);

// oneDNN's name for the program's layout of a kernel: (k0, k1, k2, in, out).
dnnl::memory::desc program_kernel_desc(const Shape& shape);

PlannedStage plan_convolution(const Context& context, const Convolution& op);
PlannedStage plan_convolution(const Context& context, const ConvolutionBackwardData& op);
PlannedStage plan_convolution(const Context& context, const ConvolutionBackwardWeights& op);

}  // namespace voxmark::onednn

// Convolutions and their gradients by oneDNN primitives, made once.
//
// Activations keep their own layout wherever oneDNN has more than a reference loop for it; else
// the primitive runs in another layout between reorders. Every choice is in the stage's
// implementation string.
#pragma once

#include "backends/onednn/code.h"

namespace voxmark::onednn {

// Fixes the layouts of all kernels of the program, which their forward primitives prefer, and with
// them those of gradients and optimizer state.
ParameterFormats choose_parameter_formats(const Program& program, const Formats& formats,
                                          const dnnl::engine& engine);

// oneDNN's name for the program's layout of a kernel: (k0, k1, k2, in, out).
dnnl::memory::desc program_kernel_desc(const Shape& shape);

StageCode convolution_code(const Context& context, const Convolution& op);
StageCode convolution_code(const Context& context, const ConvolutionBackwardData& op);
StageCode convolution_code(const Context& context, const ConvolutionBackwardWeights& op);

}  // namespace voxmark::onednn

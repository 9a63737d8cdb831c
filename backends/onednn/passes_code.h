// Everything between the convolutions: each op, or merged group of ops, as a pass of ../passes.h.
#pragma once

#include "backends/onednn/kernels/code.h"
#include "backends/onednn/kernels/stages.h"

namespace voxmark::onednn {

// For stages of anything but convolutions and transposed convolutions.
StageCode passes_code(const Context& context, const StageOps& stage);

}  // namespace voxmark::onednn

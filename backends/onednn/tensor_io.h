// Values in the program's layouts from and to the backend's.
#pragma once

#include <span>
#include <vector>

#include "backends/onednn/kernels/planned_stage.h"

namespace voxmark::onednn {

// `memory`: that of the parameter, moving statistic or optimizer state `id`.
void write_parameter(const Context& context, TensorId id, std::span<const double> values,
                     float* memory);

// Any tensor that is in memory.
void read_tensor(const Context& context, const Memory& memory, TensorId id,
                 std::span<double> values);

// `values`: (N, D, H, W, C), an input or a target.
void write_image(const Context& context, TensorId id, const std::vector<float>& values,
                 const Memory& memory);

}  // namespace voxmark::onednn

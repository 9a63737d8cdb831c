// 'Same' convolutions by Eigen's Tensor module: volume patches and contraction, the formulation
// of stock TensorFlow (eigen_cuboid_convolutions.h, eigen_backward_cuboid_convolutions.h).
//
// Two things differ from TensorFlow, neither of them arithmetic. Threads take slabs of planes and
// evaluate one contraction each; TensorFlow's contractions on a thread pool pack whole operands.
// And what a contraction allocates comes from planned scratch: no page faults.
//
// Knows shapes and pointers, not programs; threads and scratch as in convolution.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/eigen/convolution.h"

namespace voxmark::eigen {

std::int64_t tensor_convolution_scratch_bytes(const ConvolutionShape& shape, int threads);

void tensor_convolve(const ConvolutionShape& shape, const float* input, const float* kernel,
                     const float* bias, float* output, std::byte* scratch, int threads);

void tensor_backward_data(const ConvolutionShape& shape, const float* grad_output,
                          const float* kernel, float* grad_input, std::byte* scratch, int threads);

void tensor_backward_weights(const ConvolutionShape& shape, const float* input,
                             const float* grad_output, float* grad_kernel, std::byte* scratch,
                             int threads);

}  // namespace voxmark::eigen

// 1x1x1 convolutions with one output channel (the whole-tumour prediction mask): matrix times
// vector, bound by memory, where a packed product would spend more on packing than on sums.
#pragma once

#include <cstddef>
#include <cstdint>

namespace voxmark::eigen {

// input (positions, channels), kernel (channels), bias (1), output (positions).
void pointwise(std::int64_t positions, std::int64_t channels, const float* input,
               const float* kernel, const float* bias, float* output, int threads);

// grad_input (positions, channels).
void pointwise_backward_data(std::int64_t positions, std::int64_t channels,
                             const float* grad_output, const float* kernel, float* grad_input,
                             int threads);

std::int64_t pointwise_weights_scratch_bytes(std::int64_t channels, int threads);

// grad_kernel (channels).
void pointwise_backward_weights(std::int64_t positions, std::int64_t channels, const float* input,
                                const float* grad_output, float* grad_kernel, std::byte* scratch,
                                int threads);

}  // namespace voxmark::eigen

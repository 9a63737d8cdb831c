// Transposed convolutions, 2x2x2 with stride 2, of channels-last float images.
//
// Their windows do not overlap: for each (kd, kh), the two kw taps of an input row write one
// contiguous output row, so each is four products without scatter or copies. Knows shapes and
// pointers, not programs; threads and scratch as in convolution.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace voxmark::eigen {

struct TransposedShape {
  std::int64_t n = 0, d = 0, h = 0, w = 0;  // of the input; the output has twice the dims
  std::int64_t in = 0, out = 0;             // channels
};

std::int64_t transposed_scratch_bytes(const TransposedShape& shape, int threads);

// output (N, 2D, 2H, 2W, out); kernel (2, 2, 2, out, in).
void transposed_convolve(const TransposedShape& shape, const float* input, const float* kernel,
                         const float* bias, float* output, std::byte* scratch, int threads);

void transposed_backward_data(const TransposedShape& shape, const float* grad_output,
                              const float* kernel, float* grad_input, std::byte* scratch,
                              int threads);

// grad_kernel (2, 2, 2, out, in).
void transposed_backward_weights(const TransposedShape& shape, const float* input,
                                 const float* grad_output, float* grad_kernel, std::byte* scratch,
                                 int threads);

}  // namespace voxmark::eigen

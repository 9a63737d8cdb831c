// 'Same' convolutions of channels-last float images through block_panel.h.
//
// Knows shapes and pointers, not programs. Every function uses `threads` OpenMP threads, allocates
// nothing, and wants 64-byte aligned scratch of the size that its namesake tells. Results do not
// depend on the contents of scratch.
#pragma once

#include <cstddef>
#include <cstdint>

namespace voxmark::eigen {

struct ConvolutionShape {
  std::int64_t n = 0, d = 0, h = 0, w = 0;
  std::int64_t in = 0;      // channels
  std::int64_t out = 0;     // channels
  std::int64_t extent = 0;  // of the cubic kernel; odd

  std::int64_t positions() const { return n * d * h * w; }
  std::int64_t taps() const { return extent * extent * extent; }
  std::int64_t pad() const { return (extent - 1) / 2; }
};

std::int64_t convolution_scratch_bytes(const ConvolutionShape& shape, int threads);

// output (N, D, H, W, out) = bias + convolution of input (N, D, H, W, in) with kernel
// (k0, k1, k2, in, out).
void convolve(const ConvolutionShape& shape, const float* input, const float* kernel,
              const float* bias, float* output, std::byte* scratch, int threads);

// grad_input (N, D, H, W, in) from grad_output (N, D, H, W, out): the convolution with the
// mirrored, transposed kernel.
void convolve_backward_data(const ConvolutionShape& shape, const float* grad_output,
                            const float* kernel, float* grad_input, std::byte* scratch,
                            int threads);

// How a shape is computed, for the report: "rows" packed once for all taps, "im2col", or "blocks"
// of channels.
const char* convolution_way(const ConvolutionShape& shape);
const char* backward_data_way(const ConvolutionShape& shape);
const char* backward_weights_way(const ConvolutionShape& shape);

std::int64_t convolution_weights_scratch_bytes(const ConvolutionShape& shape, int threads);

// grad_kernel (k0, k1, k2, in, out).
void convolve_backward_weights(const ConvolutionShape& shape, const float* input,
                               const float* grad_output, float* grad_kernel, std::byte* scratch,
                               int threads);

}  // namespace voxmark::eigen

#include "backends/onednn/kernels/winograd.h"

#include <omp.h>

#include <algorithm>

#include "backends/onednn/kernels/registers.h"
#include "backends/onednn/kernels/winograd_blocks.h"

namespace voxmark::onednn {
namespace {

using namespace winograd;

// Above it, transformed kernels are so much larger than the images at these levels that their
// traffic costs more than the products that are saved.
constexpr std::int64_t kMostChannelPairs = 128 * 128;

// products[p] (N tiles, lanes) = points (panels, N tiles, lanes) times kernel[p] (channels, lanes),
// for C panels of output channels.
template <class V, unsigned N, unsigned C>
void multiply(const float* points, std::int64_t panels, const float* kernel,
              std::int64_t kernel_stride, float* products) {
  constexpr std::int64_t kWidth = kLanes<V>;
  V sums[N][C] = {};
  for (std::int64_t panel = 0; panel < panels; ++panel) {
    for (std::int64_t i = 0; i < kWidth; ++i) {
      V row[C];
      for (unsigned c = 0; c < C; ++c) {
        row[c] = load<V>(kernel + c * kernel_stride);
        keep_in_register(row[c]);
      }
      kernel += kWidth;
      for (unsigned n = 0; n < N; ++n) {
        const float value = points[n * kWidth + i];
        for (unsigned c = 0; c < C; ++c) {
          sums[n][c] += value * row[c];
        }
      }
    }
    points += kPlaneFloats<V>;
  }
  for (unsigned n = 0; n < N; ++n) {
    for (unsigned c = 0; c < C; ++c) {
      store<V>(sums[n][c], products + c * kPlaneFloats<V> + n * kWidth);
    }
  }
}

// The same for any number of tiles.
template <class V, unsigned C, unsigned N = kAccumulators / C>
void multiply_tiles(std::int64_t tiles, const float* points, std::int64_t panels,
                    const float* kernel, std::int64_t kernel_stride, float* products) {
  std::int64_t tile = 0;
  for (; tile + N <= tiles; tile += N) {
    multiply<V, N, C>(points + tile * kLanes<V>, panels, kernel, kernel_stride,
                      products + tile * kLanes<V>);
  }
  if constexpr (N > 1) {
    multiply_tiles<V, C, N / 2>(tiles - tile, points + tile * kLanes<V>, panels, kernel,
                                kernel_stride, products + tile * kLanes<V>);
  }
}

// Scratch of convolve(): what each thread needs.
template <class V>
struct ConvolutionScratch {
  ConvolutionScratch(std::int64_t inputs, std::int64_t outputs)
      : products(inputs * kPlaneFloats<V>),
        sums(products + 2 * kPlaneFloats<V>),
        floats(sums + outputs * kTiles * kOutputs * kLanes<V>) {}
  std::int64_t products, sums, floats;
};

// Output panels from `first` up to `last`.
struct Panels {
  std::int64_t first, last;
};

// What one thread computes of convolve(): some output panels of a block of tiles at a time.
template <class V, class T>
class BlockConvolution {
 public:
  // `kernel`, `zeros`: as convolve() has them. `scratch`: the thread's own.
  BlockConvolution(const View<const T>& x, const float* kernel, const View<T>& y, const T* zeros,
                   const Blocks& blocks, float* scratch)
      : x_(x), y_(y), blocks_(blocks), kernel_(kernel), zeros_(zeros), points_(scratch) {
    const ConvolutionScratch<V> parts(x.shape.panels, y.shape.panels);
    products_ = scratch + parts.products;
    sums_ = scratch + parts.sums;
  }

  // All sums of the block's outputs.
  void compute(std::int64_t block, const Panels& outputs) const {
    for_each_depth_point([&]<int P>() {
      const std::int64_t tiles = transform_inputs<P>(block);
      for (std::int64_t output = outputs.first; output < outputs.last; output += 2) {
        const std::int64_t together = std::min<std::int64_t>(2, outputs.last - output);
        multiply_panels<P>(tiles, output, together);
        for (std::int64_t c = 0; c < together; ++c) {
          add_outputs<V, P>(products_ + c * kPlaneFloats<V>, tiles, sums_of(output + c));
        }
      }
    });
  }

  // The sums plus the bias, if there is one, to y.
  template <bool Streams>
  void write(std::int64_t block, const Panels& outputs, const float* bias) const {
    const std::int64_t n = blocks_.sample(block);
    for (std::int64_t output = outputs.first; output < outputs.last; ++output) {
      const V added = bias == nullptr ? V{} : load<V>(bias + output * kWidth);
      blocks_.for_each_row(block, [&](const TileRow& row, std::int64_t tile) {
        write_outputs<V, Streams>(sums_of(output) + tile * kOutputs * kWidth, added, y_,
                                  y_.panel(n, output), row);
      });
    }
  }

 private:
  static constexpr std::int64_t kWidth = kLanes<V>;

  float* sums_of(std::int64_t output) const { return sums_ + output * kTiles * kOutputs * kWidth; }

  // The points of all input panels of one depth; returns the block's tiles.
  template <int P>
  std::int64_t transform_inputs(std::int64_t block) const {
    const std::int64_t n = blocks_.sample(block);
    std::int64_t tiles = 0;
    for (std::int64_t input = 0; input < x_.shape.panels; ++input) {
      float* const to = points_ + input * kPlaneFloats<V>;
      tiles = blocks_.for_each_row(block, [&](const TileRow& row, std::int64_t tile) {
        transform_input<V, P>(x_, x_.panel(n, input), zeros_, row, to + tile * kWidth);
      });
    }
    return tiles;
  }

  // The products of one depth, of one or two output panels `together`.
  template <int P>
  void multiply_panels(std::int64_t tiles, std::int64_t output, std::int64_t together) const {
    const std::int64_t inputs = x_.shape.panels, outputs = y_.shape.panels;
    const std::int64_t panel_stride = inputs * kWidth * kWidth;
    for (std::int64_t i = 0; i < kPlanePoints; ++i) {
      const std::int64_t at = i * kPointStride<V>;
      const float* rows = kernel_ + ((P * kPlanePoints + i) * outputs + output) * panel_stride;
      if (together == 2) {
        multiply_tiles<V, 2>(tiles, points_ + at, inputs, rows, panel_stride, products_ + at);
      } else {
        multiply_tiles<V, 1>(tiles, points_ + at, inputs, rows, panel_stride, products_ + at);
      }
    }
  }

  const View<const T>& x_;
  const View<T>& y_;
  const Blocks& blocks_;
  const float* kernel_;
  const T* zeros_;
  float *points_, *products_, *sums_;
};

// y = x convolved with the kernel, whose points (kPoints, output panels, input channels, lanes) are
// given, plus the bias if there is one.
template <class V, bool Streams, class T>
void convolve(const View<const T>& x, const float* kernel, const float* bias, const View<T>& y,
              const T* zeros, float* scratch, int threads) {
  const ConvolutionScratch<V> parts(x.shape.panels, y.shape.panels);
  const Blocks blocks(x.shape);
  // Where there are fewer blocks than threads, several threads share one, by pairs of panels.
  const std::int64_t outputs = y.shape.panels, pairs = (outputs + 1) / 2;
  const std::int64_t shares =
      std::clamp<std::int64_t>((threads + blocks.count() - 1) / blocks.count(), 1, pairs);
#pragma omp parallel num_threads(threads)
  {
    const BlockConvolution<V, T> own(x, kernel, y, zeros, blocks,
                                     scratch + omp_get_thread_num() * parts.floats);
#pragma omp for schedule(static)
    for (std::int64_t item = 0; item < blocks.count() * shares; ++item) {
      const std::int64_t block = item / shares, share = item % shares;
      const Panels panels{share * pairs / shares * 2,
                          std::min(outputs, (share + 1) * pairs / shares * 2)};
      own.compute(block, panels);
      own.template write<Streams>(block, panels, bias);
    }
    passes::finish_streaming<Streams>();
  }
}

// The kernel (27, inputs, outputs) as convolve() wants it.
template <class V>
void transform_forward(const float* kernel, std::int64_t inputs, std::int64_t outputs,
                       float* points, int threads) {
  constexpr std::int64_t kWidth = kLanes<V>;
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
  for (std::int64_t panel = 0; panel < outputs / kWidth; ++panel) {
    for (std::int64_t input = 0; input < inputs; ++input) {
      V taps[kTaps];
      for (std::int64_t tap = 0; tap < kTaps; ++tap) {
        taps[tap] = load<V>(kernel + (tap * inputs + input) * outputs + panel * kWidth);
      }
      transform_kernel(taps, points + (panel * inputs + input) * kWidth, inputs * outputs);
    }
  }
}

// The kernel of the gradient in the input: taps reversed, channels exchanged.
template <class V>
void transform_backward(const float* kernel, std::int64_t inputs, std::int64_t outputs,
                        float* points, int threads) {
  constexpr std::int64_t kWidth = kLanes<V>;
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
  for (std::int64_t panel = 0; panel < inputs / kWidth; ++panel) {
    for (std::int64_t first = 0; first < outputs; first += kWidth) {
      float block[kTaps][static_cast<std::size_t>(kWidth)][static_cast<std::size_t>(kWidth)];
      for (std::int64_t tap = 0; tap < kTaps; ++tap) {
        for (std::int64_t i = 0; i < kWidth; ++i) {
          const float* from = kernel + (tap * inputs + panel * kWidth + i) * outputs + first;
          for (std::int64_t o = 0; o < kWidth; ++o) {
            block[kTaps - 1 - tap][o][i] = from[o];
          }
        }
      }
      for (std::int64_t o = 0; o < kWidth; ++o) {
        V taps[kTaps];
        for (std::int64_t tap = 0; tap < kTaps; ++tap) {
          taps[tap] = load<V>(block[tap][o]);
        }
        transform_kernel(taps, points + (panel * outputs + first + o) * kWidth, inputs * outputs);
      }
    }
  }
}

// `bias`: kNoTensor for none. `is_backward`: with the reversed kernel.
PlannedStage plan_convolution(const Context& context, TensorId source, TensorId kernel,
                              TensorId bias, TensorId destination, bool is_backward) {
  const int threads = context.threads;
  const Shape& k = context.program.tensor(kernel).shape;
  const TensorFormat& from = context.formats[source];
  ScratchSpace scratch;
  const std::int64_t zeros = scratch.reserve(zero_row_bytes(from, context.formats.root(source)));
  const std::int64_t points = scratch.reserve(float_bytes(kPoints * k[3] * k[4]));
  return with_lanes(context.formats.layout().block, [&]<class V>() {
    const ConvolutionScratch<V> parts(from.shape.panels, context.formats[destination].shape.panels);
    const std::int64_t own = scratch.reserve(float_bytes(threads * parts.floats));
    PlannedStage planned;
    planned.scratch_bytes = scratch.bytes();
    planned.implementation = kName;
    with_storage(from, [&]<class T>() {
      planned.bind = [=, zero_bytes = points - zeros](const Memory& memory,
                                                      std::byte* base) -> Call {
        const View<T> y = memory.out<T>(destination);
        return [=, x = memory.in<T>(source), weights = memory.data(kernel),
                added = bias == kNoTensor ? nullptr : memory.data(bias),
                streams = passes::is_worth_streaming(y)] {
          std::fill_n(base + zeros, zero_bytes, std::byte{});
          float* transformed = reinterpret_cast<float*>(base + points);
          if (is_backward) {
            transform_backward<V>(weights, k[3], k[4], transformed, threads);
          } else {
            transform_forward<V>(weights, k[3], k[4], transformed, threads);
          }
          const auto* zero_row = reinterpret_cast<const T*>(base + zeros);
          float* own_scratch = reinterpret_cast<float*>(base + own);
          if (streams) {
            convolve<V, true>(x, transformed, added, y, zero_row, own_scratch, threads);
          } else {
            convolve<V, false>(x, transformed, added, y, zero_row, own_scratch, threads);
          }
        };
      };
    });
    return planned;
  });
}

}  // namespace

bool runs_by_winograd(const Context& context, TensorId input, TensorId kernel, TensorId output) {
  const std::int64_t block = context.formats.layout().block;
  const Shape& k = context.program.tensor(kernel).shape;
  const auto is_blocked = [&](TensorId id) {
    const passes::PanelShape& shape = context.formats[id].shape;
    return shape.width == block && shape.channels() == context.program.tensor(id).shape.back() &&
           shape.d % 2 == 0 && shape.h % 2 == 0 && shape.w % 2 == 0;
  };
  // Wider vectors than the registers that this code is compiled for are slow.
  return context.algorithm == Algorithm::winograd && block >= 8 && block <= passes::kNativeLanes &&
         k[0] == 3 && k[1] == 3 && k[2] == 3 && k[3] * k[4] <= kMostChannelPairs &&
         is_blocked(input) && is_blocked(output) &&
         context.formats[input].is_bf16 == context.formats[output].is_bf16;
}

PlannedStage plan_winograd(const Context& context, const Convolution& op) {
  return plan_convolution(context, op.input, op.kernel, op.bias, op.output, false);
}

PlannedStage plan_winograd(const Context& context, const ConvolutionBackwardData& op) {
  return plan_convolution(context, op.grad_output, op.kernel, kNoTensor, op.grad_input, true);
}

}  // namespace voxmark::onednn

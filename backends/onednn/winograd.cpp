#include "backends/onednn/winograd.h"

#include <omp.h>

#include <algorithm>

#include "backends/onednn/registers.h"
#include "backends/onednn/winograd_tiles.h"

namespace voxmark::onednn {
namespace {

using namespace winograd;
using passes::NativeLanes;

constexpr const char* kName = "winograd F(2x2x2,3x3x3)";

// Above it, transformed kernels are so much larger than the images at these levels that their
// traffic costs more than the products that are saved.
constexpr std::int64_t kMostChannelPairs = 128 * 128;

// A sum in floats of more addends is split, so that rounding does not grow with the image.
constexpr std::int64_t kBlocksPerSum = 4096;

// The products of a thread's share of channels, which should stay in its L2 cache.
constexpr std::int64_t kProductBytes = 1 << 20;

// Blocks whose points are multiplied one depth point after the other.
constexpr std::int64_t kBlocksAtOnce = 4;

// As many sums as fit in registers beside what they are made of.
constexpr int kAccumulators = passes::kNativeLanes == 16 ? 16 : 8;

constexpr std::int64_t float_bytes(std::int64_t count) {
  return count * std::int64_t{sizeof(float)};
}

// The tiles of a batch, in blocks of up to kTiles: a part of one row, or a few short rows.
class Blocks {
 public:
  explicit Blocks(const passes::PanelShape& shape) : rows_(shape.h / 2), columns_(shape.w / 2) {
    const std::int64_t parts = (columns_ + kTiles - 1) / kTiles;
    block_columns_ = (columns_ + parts - 1) / parts;
    block_rows_ = std::max<std::int64_t>(1, std::min(rows_, kTiles / block_columns_));
    across_ = (columns_ + block_columns_ - 1) / block_columns_;
    down_ = (rows_ + block_rows_ - 1) / block_rows_;
    depth_ = shape.d / 2;
    count_ = shape.n * depth_ * down_ * across_;
  }

  std::int64_t count() const { return count_; }
  std::int64_t sample(std::int64_t block) const { return block / across_ / down_ / depth_; }

  // Calls f(row, first tile) for each row of a block; returns its tiles.
  template <class F>
  std::int64_t for_each_row(std::int64_t block, F f) const {
    const std::int64_t column = block % across_ * block_columns_;
    const std::int64_t row = block / across_ % down_ * block_rows_;
    const std::int64_t d = block / across_ / down_ % depth_;
    const std::int64_t columns = std::min(block_columns_, columns_ - column);
    const std::int64_t rows = std::min(block_rows_, rows_ - row);
    for (std::int64_t r = 0; r < rows; ++r) {
      f(TileRow{2 * d, 2 * (row + r), 2 * column, columns}, r * columns);
    }
    return rows * columns;
  }

 private:
  std::int64_t rows_, columns_;              // tiles of a plane
  std::int64_t block_rows_, block_columns_;  // tiles of a block
  std::int64_t across_, down_, depth_;       // blocks
  std::int64_t count_;
};

// f.operator()<P>() for the depth points in their order.
template <class F>
void for_each_depth_point(F f) {
  f.template operator()<0>();
  f.template operator()<1>();
  f.template operator()<2>();
  f.template operator()<3>();
}

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

// y = x convolved with the kernel, whose points (kPoints, output panels, input channels, lanes) are
// given, plus the bias if there is one.
template <class V, bool Streams, class T>
void convolve(const View<const T>& x, const float* kernel, const float* bias, const View<T>& y,
              const T* zeros, float* scratch, int threads) {
  constexpr std::int64_t kWidth = kLanes<V>;
  const std::int64_t inputs = x.shape.panels, outputs = y.shape.panels;
  const std::int64_t panel_stride = inputs * kWidth * kWidth;
  const ConvolutionScratch<V> parts(inputs, outputs);
  const Blocks blocks(x.shape);
  // Where there are fewer blocks than threads, several threads share one, by output channels.
  const std::int64_t pairs = (outputs + 1) / 2;
  const std::int64_t shares =
      std::clamp<std::int64_t>((threads + blocks.count() - 1) / blocks.count(), 1, pairs);
#pragma omp parallel num_threads(threads)
  {
    float* points = scratch + omp_get_thread_num() * parts.floats;
    float* products = points + parts.products;
    float* sums = points + parts.sums;
#pragma omp for schedule(static)
    for (std::int64_t item = 0; item < blocks.count() * shares; ++item) {
      const std::int64_t block = item / shares, n = blocks.sample(block);
      const std::int64_t first = item % shares * pairs / shares * 2;
      const std::int64_t last = std::min(outputs, (item % shares + 1) * pairs / shares * 2);
      for_each_depth_point([&]<int P>() {
        std::int64_t tiles = 0;
        for (std::int64_t input = 0; input < inputs; ++input) {
          tiles = blocks.for_each_row(block, [&](const TileRow& row, std::int64_t tile) {
            transform_input<V, P>(x, x.panel(n, input), zeros, row,
                                  points + input * kPlaneFloats<V> + tile * kWidth);
          });
        }
        for (std::int64_t output = first; output < last; output += 2) {
          const std::int64_t together = std::min<std::int64_t>(2, last - output);
          for (std::int64_t i = 0; i < kPlanePoints; ++i) {
            const std::int64_t at = i * kPointStride<V>;
            const float* rows = kernel + ((P * kPlanePoints + i) * outputs + output) * panel_stride;
            if (together == 2) {
              multiply_tiles<V, 2>(tiles, points + at, inputs, rows, panel_stride, products + at);
            } else {
              multiply_tiles<V, 1>(tiles, points + at, inputs, rows, panel_stride, products + at);
            }
          }
          for (std::int64_t c = 0; c < together; ++c) {
            add_outputs<V, P>(products + c * kPlaneFloats<V>, tiles,
                              sums + (output + c) * kTiles * kOutputs * kWidth);
          }
        }
      });
      for (std::int64_t output = first; output < last; ++output) {
        const V added = bias == nullptr ? V{} : load<V>(bias + output * kWidth);
        blocks.for_each_row(block, [&](const TileRow& row, std::int64_t tile) {
          write_outputs<V, Streams>(sums + (output * kTiles + tile) * kOutputs * kWidth, added, y,
                                    y.panel(n, output), row);
        });
      }
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

// How the sums of a kernel's gradient are divided: over slabs of blocks, and over groups of input
// panels where the products of all would not stay in a cache.
template <class V>
struct Division {
  Division(const passes::PanelShape& x, const passes::PanelShape& dy, int threads)
      : blocks(x), inputs(x.panels), outputs(dy.panels) {
    const std::int64_t panel_floats = kPoints * kLanes<V> * dy.channels();
    group = inputs;
    while (group > 1 &&
           (inputs % group != 0 || float_bytes(group * panel_floats) > kProductBytes)) {
      --group;
    }
    groups = inputs / group;
    product_floats = group * panel_floats;
    const std::int64_t at_least = (blocks.count() + kBlocksPerSum - 1) / kBlocksPerSum;
    slabs = std::min(blocks.count(), std::max(at_least, (threads + groups - 1) / groups));
    // Equal work for all threads, at the price of a few more sums.
    const auto idle_share = [&](std::int64_t count) {
      const std::int64_t rounds = (count * groups + threads - 1) / threads;
      return 1 - static_cast<double>(count * groups) / static_cast<double>(rounds * threads);
    };
    constexpr double kWorthIgnoring = 0.05;
    const std::int64_t most = std::min(blocks.count(), 4 * slabs);
    for (std::int64_t count = slabs; count < most; ++count) {
      if (idle_share(slabs) <= kWorthIgnoring) {
        break;
      }
      if (idle_share(count) < idle_share(slabs)) {
        slabs = count;
      }
    }
  }

  std::int64_t items() const { return slabs * groups; }
  std::int64_t gradient_points() const { return group * kPlaneFloats<V>; }
  std::int64_t thread_floats() const { return (group + outputs) * kPlaneFloats<V>; }
  std::int64_t output_channels() const { return outputs * kLanes<V>; }
  std::int64_t first_block(std::int64_t slab) const { return slab * blocks.count() / slabs; }

  Blocks blocks;
  std::int64_t inputs, outputs;  // panels
  std::int64_t group = 1, groups = 1, slabs = 1;
  // Of one item: (kPoints, output panels, group's channels, lanes).
  std::int64_t product_floats = 0;
};

// products[c] (lanes in, lanes out) += sum over tiles of one input vector times C gradient vectors.
template <class V, unsigned C>
void add_products(const float* points, const float* gradients, std::int64_t tiles, float* products,
                  std::int64_t product_stride) {
  constexpr std::int64_t kWidth = kLanes<V>;
  constexpr unsigned kInputs = std::min<unsigned>(kAccumulators / C, kLanes<V>);
  for (std::int64_t first = 0; first < kWidth; first += kInputs) {
    V sums[kInputs][C] = {};
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      V row[C];
      for (unsigned c = 0; c < C; ++c) {
        row[c] = load<V>(gradients + c * kPlaneFloats<V> + tile * kWidth);
        keep_in_register(row[c]);
      }
      for (unsigned i = 0; i < kInputs; ++i) {
        const float value = points[tile * kWidth + first + i];
        for (unsigned c = 0; c < C; ++c) {
          sums[i][c] += value * row[c];
        }
      }
    }
    for (unsigned i = 0; i < kInputs; ++i) {
      for (unsigned c = 0; c < C; ++c) {
        float* to = products + c * product_stride + (first + i) * kWidth;
        store<V>(load<V>(to) + sums[i][c], to);
      }
    }
  }
}

// One item: all of its blocks. `bias` (output channels), or null where another group sums it.
template <class V, class T>
void add_slab(const View<const T>& x, const View<const T>& dy, const Division<V>& division,
              std::int64_t slab, std::int64_t first_input, const T* zeros, float* scratch,
              float* products, double* bias) {
  constexpr std::int64_t kWidth = kLanes<V>;
  const std::int64_t group = division.group, outputs = division.outputs;
  float* points = scratch;
  float* gradients = scratch + division.gradient_points();
  std::fill_n(products, division.product_floats, 0.0F);
  std::fill_n(bias, bias == nullptr ? 0 : division.output_channels(), 0.0);
  const std::int64_t last = division.first_block(slab + 1);
  for (std::int64_t begin = division.first_block(slab); begin < last; begin += kBlocksAtOnce) {
    const std::int64_t end = std::min(last, begin + kBlocksAtOnce);
    for_each_depth_point([&]<int P>() {
      for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t n = division.blocks.sample(block);
        std::int64_t tiles = 0;
        for (std::int64_t i = 0; i < group; ++i) {
          tiles = division.blocks.for_each_row(block, [&](const TileRow& row, std::int64_t tile) {
            transform_input<V, P>(x, x.panel(n, first_input + i), zeros, row,
                                  points + i * kPlaneFloats<V> + tile * kWidth);
          });
        }
        for (std::int64_t o = 0; o < outputs; ++o) {
          division.blocks.for_each_row(block, [&](const TileRow& row, std::int64_t tile) {
            transform_gradient<V, P>(dy, dy.panel(n, o), row,
                                     gradients + o * kPlaneFloats<V> + tile * kWidth);
          });
        }
        const std::int64_t stride = group * kWidth * kWidth;
        for (std::int64_t point = 0; point < kPlanePoints; ++point) {
          const std::int64_t at = point * kPointStride<V>;
          for (std::int64_t o = 0; o < outputs; o += 2) {
            for (std::int64_t i = 0; i < group; ++i) {
              float* to = products + ((P * kPlanePoints + point) * outputs + o) * stride +
                          i * kWidth * kWidth;
              const float* from = gradients + o * kPlaneFloats<V> + at;
              if (o + 1 < outputs) {
                add_products<V, 2>(points + i * kPlaneFloats<V> + at, from, tiles, to, stride);
              } else {
                add_products<V, 1>(points + i * kPlaneFloats<V> + at, from, tiles, to, stride);
              }
            }
          }
        }
        if constexpr (P == 1) {
          // Point (1, 1, 1) of a tile is the sum of its gradients.
          constexpr std::int64_t kSums = 5 * kPointStride<V>;
          for (std::int64_t o = 0; bias != nullptr && o < outputs; ++o) {
            V sum{};
            for (std::int64_t tile = 0; tile < tiles; ++tile) {
              sum += load<V>(gradients + o * kPlaneFloats<V> + kSums + tile * kWidth);
            }
            float lanes[static_cast<std::size_t>(kWidth)];
            store<V>(sum, lanes);
            for (std::int64_t lane = 0; lane < kWidth; ++lane) {
              bias[o * kWidth + lane] += static_cast<double>(lanes[lane]);
            }
          }
        }
      }
    });
  }
}

// Of backward_weights(), in floats but for the bias.
struct WeightsScratch {
  std::byte* zeros;
  float* threads;   // (threads, thread_floats)
  float* products;  // (slabs, groups, product_floats)
  double* bias;     // (slabs, output channels)
};

template <class V, class T>
void backward_weights(const View<const T>& x, const View<const T>& dy, const Division<V>& division,
                      const WeightsScratch& scratch, float* grad_kernel, float* grad_bias,
                      int threads) {
  constexpr std::int64_t kWidth = kLanes<V>;
  const std::int64_t inputs = division.inputs * kWidth, outputs = division.output_channels();
  const std::int64_t group_channels = division.group * kWidth;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static)
    for (std::int64_t item = 0; item < division.items(); ++item) {
      const std::int64_t slab = item / division.groups, group = item % division.groups;
      add_slab(x, dy, division, slab, group * division.group,
               reinterpret_cast<const T*>(scratch.zeros),
               scratch.threads + omp_get_thread_num() * division.thread_floats(),
               scratch.products + item * division.product_floats,
               group == 0 ? scratch.bias + slab * outputs : nullptr);
    }
#pragma omp for collapse(2) schedule(static)
    for (std::int64_t panel = 0; panel < division.outputs; ++panel) {
      for (std::int64_t input = 0; input < inputs; ++input) {
        passes::Wide<V> sums[kPoints];
        for (std::int64_t slab = 0; slab < division.slabs; ++slab) {
          const float* from =
              scratch.products +
              (slab * division.groups + input / group_channels) * division.product_floats +
              (panel * group_channels + input % group_channels) * kWidth;
          for (std::int64_t i = 0; i < kPoints; ++i) {
            sums[i].add(passes::widen(load<V>(from + i * outputs * group_channels)));
          }
        }
        V points[kPoints];
        std::transform(sums, sums + kPoints, points, passes::narrow<V>);
        V taps[kTaps];
        transform_kernel_gradient(points, taps);
        for (std::int64_t tap = 0; tap < kTaps; ++tap) {
          store<V>(taps[tap], grad_kernel + (tap * inputs + input) * outputs + panel * kWidth);
        }
      }
    }
  }
  for (std::int64_t c = 0; c < outputs; ++c) {
    double total = 0;
    for (std::int64_t slab = 0; slab < division.slabs; ++slab) {
      total += scratch.bias[slab * outputs + c];
    }
    grad_bias[c] = static_cast<float>(total);
  }
}

// f.operator()<V>() for the vector type of a block of channels.
template <class F>
auto with_lanes(std::int64_t block, F f) {
  if constexpr (passes::kNativeLanes > 8) {
    if (block == 8) {
      return f.template operator()<passes::Lanes<8>>();
    }
  }
  return f.template operator()<NativeLanes>();
}

// Rows outside the image, of any storage type.
std::int64_t zero_row_bytes(const TensorFormat& source, const TensorFormat& root) {
  return zero_row_elements<NativeLanes>(root.shape.width) * source.element_bytes();
}

// `bias`: kNoTensor for none. `is_backward`: with the reversed kernel.
StageCode convolution_code(const Context& context, TensorId source, TensorId kernel, TensorId bias,
                           TensorId destination, bool is_backward) {
  const int threads = context.threads;
  const Shape& k = context.program.tensor(kernel).shape;
  const TensorFormat& from = context.formats[source];
  ScratchSpace scratch;
  const std::int64_t zeros = scratch.reserve(zero_row_bytes(from, context.formats.root(source)));
  const std::int64_t points = scratch.reserve(float_bytes(kPoints * k[3] * k[4]));
  return with_lanes(context.formats.layout().block, [&]<class V>() {
    const ConvolutionScratch<V> parts(from.shape.panels, context.formats[destination].shape.panels);
    const std::int64_t own = scratch.reserve(float_bytes(threads * parts.floats));
    StageCode code;
    code.scratch_bytes = scratch.bytes();
    code.implementation = kName;
    with_storage(from, [&]<class T>() {
      code.bind = [=, zero_bytes = points - zeros](const Memory& memory, std::byte* base) -> Call {
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
    return code;
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

StageCode winograd_code(const Context& context, const Convolution& op) {
  return convolution_code(context, op.input, op.kernel, op.bias, op.output, false);
}

StageCode winograd_code(const Context& context, const ConvolutionBackwardData& op) {
  return convolution_code(context, op.grad_output, op.kernel, kNoTensor, op.grad_input, true);
}

StageCode winograd_code(const Context& context, const ConvolutionBackwardWeights& op) {
  const int threads = context.threads;
  const TensorFormat& from = context.formats[op.input];
  const passes::PanelShape& gradient = context.formats[op.grad_output].shape;
  return with_lanes(context.formats.layout().block, [&]<class V>() {
    const Division<V> division(from.shape, gradient, threads);
    ScratchSpace scratch;
    const std::int64_t zeros =
        scratch.reserve(zero_row_bytes(from, context.formats.root(op.input)));
    const std::int64_t own = scratch.reserve(float_bytes(threads * division.thread_floats()));
    const std::int64_t products =
        scratch.reserve(float_bytes(division.items() * division.product_floats));
    const std::int64_t bias =
        scratch.reserve(division.slabs * division.output_channels() * std::int64_t{sizeof(double)});
    StageCode code;
    code.scratch_bytes = scratch.bytes();
    code.implementation = kName;
    with_storage(from, [&]<class T>() {
      code.bind = [=, zero_bytes = own - zeros](const Memory& memory, std::byte* base) -> Call {
        return [=, x = memory.in<T>(op.input), dy = memory.in<T>(op.grad_output),
                grad_kernel = memory.data(op.grad_kernel), grad_bias = memory.data(op.grad_bias)] {
          std::fill_n(base + zeros, zero_bytes, std::byte{});
          backward_weights(
              x, dy, division,
              {base + zeros, reinterpret_cast<float*>(base + own),
               reinterpret_cast<float*>(base + products), reinterpret_cast<double*>(base + bias)},
              grad_kernel, grad_bias, threads);
        };
      };
    });
    return code;
  });
}

}  // namespace voxmark::onednn

// The gradients of 3x3x3 convolutions in their kernels.

#include <omp.h>

#include <algorithm>

#include "backends/onednn/kernels/registers.h"
#include "backends/onednn/kernels/winograd.h"
#include "backends/onednn/kernels/winograd_blocks.h"

namespace voxmark::onednn {
namespace {

using namespace winograd;

// A sum in floats of more addends is split, so that rounding does not grow with the image.
constexpr std::int64_t kBlocksPerSum = 4096;

// The products of a thread's share of channels, which should stay in its L2 cache.
constexpr std::int64_t kProductBytes = 1 << 20;

// Blocks whose points are multiplied one depth point after the other.
constexpr std::int64_t kBlocksAtOnce = 4;

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

// One item: the products of a group of input panels with all gradients, over one slab of blocks.
template <class V, class T>
class SlabProducts {
 public:
  // `products`: of the item. `bias` (output channels), or null where another group sums it.
  SlabProducts(const View<const T>& x, const View<const T>& dy, const Division<V>& division,
               std::int64_t first_input, const T* zeros, float* scratch, float* products,
               double* bias)
      : x_(x),
        dy_(dy),
        division_(division),
        first_input_(first_input),
        zeros_(zeros),
        points_(scratch),
        gradients_(scratch + division.gradient_points()),
        products_(products),
        bias_(bias) {}

  void add_slab(std::int64_t slab) const {
    std::fill_n(products_, division_.product_floats, 0.0F);
    std::fill_n(bias_, bias_ == nullptr ? 0 : division_.output_channels(), 0.0);
    const std::int64_t last = division_.first_block(slab + 1);
    for (std::int64_t begin = division_.first_block(slab); begin < last; begin += kBlocksAtOnce) {
      const std::int64_t end = std::min(last, begin + kBlocksAtOnce);
      for_each_depth_point([&]<int P>() {
        for (std::int64_t block = begin; block < end; ++block) {
          add_block<P>(block);
        }
      });
    }
  }

 private:
  static constexpr std::int64_t kWidth = kLanes<V>;

  template <int P>
  void add_block(std::int64_t block) const {
    const std::int64_t tiles = transform_inputs<P>(block);
    transform_gradients<P>(block);
    for (std::int64_t point = 0; point < kPlanePoints; ++point) {
      add_point(P * kPlanePoints + point, point * kPointStride<V>, tiles);
    }
    if constexpr (P == 1) {
      if (bias_ != nullptr) {
        add_bias(tiles);
      }
    }
  }

  // Returns the block's tiles.
  template <int P>
  std::int64_t transform_inputs(std::int64_t block) const {
    const std::int64_t n = division_.blocks.sample(block);
    std::int64_t tiles = 0;
    for (std::int64_t i = 0; i < division_.group; ++i) {
      float* const to = points_ + i * kPlaneFloats<V>;
      tiles = division_.blocks.for_each_row(block, [&](const TileRow& row, std::int64_t tile) {
        transform_input<V, P>(x_, x_.panel(n, first_input_ + i), zeros_, row, to + tile * kWidth);
      });
    }
    return tiles;
  }

  template <int P>
  void transform_gradients(std::int64_t block) const {
    const std::int64_t n = division_.blocks.sample(block);
    for (std::int64_t o = 0; o < division_.outputs; ++o) {
      float* const to = gradients_ + o * kPlaneFloats<V>;
      division_.blocks.for_each_row(block, [&](const TileRow& row, std::int64_t tile) {
        transform_gradient<V, P>(dy_, dy_.panel(n, o), row, to + tile * kWidth);
      });
    }
  }

  // The products of one point, which lies `at` floats into each panel's points.
  void add_point(std::int64_t point, std::int64_t at, std::int64_t tiles) const {
    const std::int64_t group = division_.group, outputs = division_.outputs;
    const std::int64_t stride = group * kWidth * kWidth;
    for (std::int64_t o = 0; o < outputs; o += 2) {
      const float* gradients = gradients_ + o * kPlaneFloats<V> + at;
      float* const sums = products_ + (point * outputs + o) * stride;
      for (std::int64_t i = 0; i < group; ++i) {
        const float* points = points_ + i * kPlaneFloats<V> + at;
        float* const to = sums + i * kWidth * kWidth;
        if (o + 1 < outputs) {
          add_products<V, 2>(points, gradients, tiles, to, stride);
        } else {
          add_products<V, 1>(points, gradients, tiles, to, stride);
        }
      }
    }
  }

  // Point (1, 1, 1) of a tile is the sum of its gradients.
  void add_bias(std::int64_t tiles) const {
    constexpr std::int64_t kSums = 5 * kPointStride<V>;
    for (std::int64_t o = 0; o < division_.outputs; ++o) {
      V sum{};
      for (std::int64_t tile = 0; tile < tiles; ++tile) {
        sum += load<V>(gradients_ + o * kPlaneFloats<V> + kSums + tile * kWidth);
      }
      float lanes[static_cast<std::size_t>(kWidth)];
      store<V>(sum, lanes);
      for (std::int64_t lane = 0; lane < kWidth; ++lane) {
        bias_[o * kWidth + lane] += static_cast<double>(lanes[lane]);
      }
    }
  }

  const View<const T>&x_, &dy_;
  const Division<V>& division_;
  std::int64_t first_input_;
  const T* zeros_;
  float *points_, *gradients_, *products_;
  double* bias_;
};

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
      const SlabProducts<V, T> products(
          x, dy, division, group * division.group, reinterpret_cast<const T*>(scratch.zeros),
          scratch.threads + omp_get_thread_num() * division.thread_floats(),
          scratch.products + item * division.product_floats,
          group == 0 ? scratch.bias + slab * outputs : nullptr);
      products.add_slab(slab);
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

}  // namespace

PlannedStage plan_winograd(const Context& context, const ConvolutionBackwardWeights& op) {
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
    PlannedStage planned;
    planned.scratch_bytes = scratch.bytes();
    planned.implementation = kName;
    with_storage(from, [&]<class T>() {
      planned.bind = [=, zero_bytes = own - zeros](const Memory& memory, std::byte* base) -> Call {
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
    return planned;
  });
}

}  // namespace voxmark::onednn

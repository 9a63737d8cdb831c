#include "backends/onednn/kernels/blocked_weights.h"

#include <algorithm>

#include "backends/onednn/kernels/registers.h"
#include "backends/passes/lanes.h"
#include "backends/passes/passes.h"

namespace voxmark::onednn {
namespace {

using passes::Lanes;
using passes::load;
using passes::store;
using passes::View;

// A thread needs several items of work, or the last one to finish keeps the others waiting.
constexpr std::int64_t kItemsPerThread = 4;

// Rows of one input and two output panels that stay in a core's L1 cache while all taps of the
// kernel meet them.
constexpr std::int64_t kRowsBytes = 24 * 1024;
std::int64_t rows_at_once(const passes::PanelShape& shape) {
  const std::int64_t row_bytes = shape.w * shape.width * std::int64_t{sizeof(float)};
  return std::max<std::int64_t>(1, kRowsBytes / (3 * row_bytes));
}

// To one float; more are split, so that rounding does not grow with the image.
constexpr std::int64_t kMostAdditions = 4096;

// What is computed together: the products of one panel of input channels with one or two panels
// of output channels, over one slab of the (n, d) planes. Tiles of different slabs are added up
// afterwards, in order.
struct Division {
  Division(const passes::PanelShape& x, const passes::PanelShape& dy, std::int64_t kernel_extent,
           int threads)
      : inputs(x.panels),
        outputs(dy.panels),
        output_pairs((dy.panels + 1) / 2),
        block(x.width),
        extent(kernel_extent),
        planes(x.n * x.d) {
    const std::int64_t tiles = inputs * output_pairs;
    const std::int64_t additions = planes * ((x.h + rows_at_once(x) - 1) / rows_at_once(x));
    slabs = std::min(planes, std::max((kItemsPerThread * threads + tiles - 1) / tiles,
                                      (additions + kMostAdditions - 1) / kMostAdditions));
  }

  std::int64_t taps() const { return extent * extent * extent; }
  std::int64_t items() const { return slabs * inputs * output_pairs; }
  // Of one slab's kernel gradient, (outputs, inputs, taps, block in, block out): OIdhw8i8o.
  std::int64_t kernel_elements() const { return outputs * inputs * tile_elements(); }
  std::int64_t tile_elements() const { return taps() * block * block; }
  std::int64_t output_channels() const { return outputs * block; }

  std::int64_t inputs, outputs, output_pairs, block, extent, planes;
  std::int64_t slabs = 1;
};

// Some rows of a plane, or what of them a tap of the kernel meets.
struct RowRange {
  std::int64_t rows, voxels;
  std::int64_t stride;  // elements from row to row
};

// sums[c][i * lanes...] += sum over the rows of I input channels times C output vectors.
template <class V, unsigned I, unsigned C>
void add_rows(const float* x, const float* const (&dy)[2], const RowRange& range,
              float* const (&sums)[2]) {
  constexpr std::int64_t kBlock = passes::kLanes<V>;
  V acc[I][C] = {};
  for (std::int64_t row = 0; row < range.rows; ++row) {
    const float* values = x + row * range.stride;
    const float* row_gradients[2] = {dy[0] + row * range.stride, dy[1] + row * range.stride};
    for (std::int64_t v = 0; v < range.voxels; ++v) {
      V gradients[C];
      for (unsigned c = 0; c < C; ++c) {
        gradients[c] = load<V>(row_gradients[c] + v * kBlock);
        keep_in_register(gradients[c]);
      }
      for (unsigned i = 0; i < I; ++i) {
        const float value = values[v * kBlock + i];
        for (unsigned c = 0; c < C; ++c) {
          acc[i][c] += value * gradients[c];
        }
      }
    }
  }
  for (unsigned i = 0; i < I; ++i) {
    for (unsigned c = 0; c < C; ++c) {
      float* sum = sums[c] + i * kBlock;
      store<V>(load<V>(sum) + acc[i][c], sum);
    }
  }
}

template <class V>
void add_bias_row(const float* dy, std::int64_t voxels, double* sums) {
  constexpr std::int64_t kBlock = passes::kLanes<V>;
  V even{}, odd{};
  std::int64_t v = 0;
  for (; v + 2 <= voxels; v += 2) {
    even += load<V>(dy + v * kBlock);
    odd += load<V>(dy + (v + 1) * kBlock);
  }
  for (; v < voxels; ++v) {
    even += load<V>(dy + v * kBlock);
  }
  float lanes[static_cast<std::size_t>(kBlock)];
  store<V>(even + odd, lanes);
  for (std::int64_t lane = 0; lane < kBlock; ++lane) {
    sums[lane] += static_cast<double>(lanes[lane]);
  }
}

// Rows [begin, end) of plane (n, d).
struct PlaneRows {
  std::int64_t n, d, begin, end;
};

// What of them a tap of the kernel meets, and where it begins, in elements of a panel: in the
// gradients, and in the input that the tap reads.
struct TapRows {
  RowRange range;
  std::int64_t gradients, values;
  bool is_empty;
};

TapRows rows_of_tap(const passes::PanelShape& shape, std::int64_t extent, std::int64_t tap,
                    const PlaneRows& rows) {
  const std::int64_t pad = extent / 2, stride = shape.w * shape.width;
  const std::int64_t shift_d = tap / (extent * extent) - pad;
  const std::int64_t shift_h = tap / extent % extent - pad;
  const std::int64_t shift_w = tap % extent - pad;
  const std::int64_t begin_h = std::max(rows.begin, -shift_h);
  const std::int64_t begin_w = std::max<std::int64_t>(0, -shift_w);
  const RowRange range{std::min(rows.end, shape.h - shift_h) - begin_h,
                       std::min(shape.w, shape.w - shift_w) - begin_w, stride};
  const std::int64_t from_d = rows.d + shift_d;
  const std::int64_t first = begin_h * stride + begin_w * shape.width;
  return {range, rows.d * shape.h * stride + first,
          from_d * shape.h * stride + first + shift_h * stride + shift_w * shape.width,
          from_d < 0 || from_d >= shape.d || range.rows <= 0 || range.voxels <= 0};
}

// One item for C output panels: 8 accumulators, which hide the latency of the multiply-adds.
template <class V, unsigned C>
class SlabProducts {
 public:
  SlabProducts(const View<const float>& x, const View<const float>& dy, const Division& division,
               std::int64_t input, std::int64_t output, float* kernel_sums, double* bias_sums)
      : x_(x), dy_(dy), division_(division), input_(input), output_(output), bias_(bias_sums) {
    for (unsigned c = 0; c < 2; ++c) {
      tiles_[c] =
          kernel_sums + ((output + c % C) * division.inputs + input) * division.tile_elements();
    }
  }

  void add_slab(std::int64_t slab) const {
    for (float* const tile : tiles_) {
      std::fill_n(tile, division_.tile_elements(), 0.0F);
    }
    std::fill_n(bias_, sums_bias() ? C * kBlock : 0, 0.0);
    const passes::PanelShape& shape = x_.shape;
    const std::int64_t row_step = rows_at_once(shape);
    const std::int64_t last = (slab + 1) * division_.planes / division_.slabs;
    for (std::int64_t plane = slab * division_.planes / division_.slabs; plane < last; ++plane) {
      for (std::int64_t h = 0; h < shape.h; h += row_step) {
        add_plane_rows({plane / shape.d, plane % shape.d, h, std::min(h + row_step, shape.h)});
      }
    }
  }

 private:
  static constexpr std::int64_t kBlock = passes::kLanes<V>;

  bool sums_bias() const { return input_ == 0; }

  void add_plane_rows(const PlaneRows& rows) const {
    const float* const gradients[2] = {dy_.panel(rows.n, output_),
                                       dy_.panel(rows.n, output_ + 1 % C)};
    if (sums_bias()) {
      add_bias(gradients, rows);
    }
    const float* const values = x_.panel(rows.n, input_);
    for (std::int64_t tap = 0; tap < division_.taps(); ++tap) {
      const TapRows met = rows_of_tap(x_.shape, division_.extent, tap, rows);
      if (!met.is_empty) {
        add_tap(tap, values + met.values,
                {gradients[0] + met.gradients, gradients[1] + met.gradients}, met.range);
      }
    }
  }

  void add_tap(std::int64_t tap, const float* values, const float* const (&gradients)[2],
               const RowRange& range) const {
    constexpr unsigned kInputs = 8 / C;
    for (std::int64_t i = 0; i < kBlock; i += kInputs) {
      const std::int64_t place = (tap * kBlock + i) * kBlock;
      add_rows<V, kInputs, C>(values + i, gradients, range, {tiles_[0] + place, tiles_[1] + place});
    }
  }

  void add_bias(const float* const (&gradients)[2], const PlaneRows& rows) const {
    const std::int64_t width = x_.shape.w;
    const std::int64_t first = (rows.d * x_.shape.h + rows.begin) * width * kBlock;
    for (unsigned c = 0; c < C; ++c) {
      add_bias_row<V>(gradients[c] + first, (rows.end - rows.begin) * width, bias_ + c * kBlock);
    }
  }

  const View<const float>&x_, &dy_;
  const Division& division_;
  std::int64_t input_, output_;
  float* tiles_[2];  // the second is the first's again where C is 1
  double* bias_;
};

// kernel_sums (slabs, kernel), bias_sums (slabs, output channels).
template <class V>
void backward_weights(const View<const float>& x, const View<const float>& dy,
                      const Division& division, float* kernel_sums, double* bias_sums,
                      float* grad_kernel, float* grad_bias, int threads) {
  const std::int64_t count = division.kernel_elements();
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(dynamic)
    for (std::int64_t item = 0; item < division.items(); ++item) {
      const std::int64_t input = item % division.inputs;
      const std::int64_t output = item / division.inputs % division.output_pairs * 2;
      const std::int64_t slab = item / division.inputs / division.output_pairs;
      float* kernel = kernel_sums + slab * count;
      double* bias = bias_sums + slab * division.output_channels() + output * passes::kLanes<V>;
      if (output + 1 < division.outputs) {
        SlabProducts<V, 2>(x, dy, division, input, output, kernel, bias).add_slab(slab);
      } else {
        SlabProducts<V, 1>(x, dy, division, input, output, kernel, bias).add_slab(slab);
      }
    }
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < count; ++i) {
      double total = 0;
      for (std::int64_t slab = 0; slab < division.slabs; ++slab) {
        total += static_cast<double>(kernel_sums[slab * count + i]);
      }
      grad_kernel[i] = static_cast<float>(total);
    }
  }
  for (std::int64_t c = 0; c < division.output_channels(); ++c) {
    double total = 0;
    for (std::int64_t slab = 0; slab < division.slabs; ++slab) {
      total += bias_sums[slab * division.output_channels() + c];
    }
    grad_bias[c] = static_cast<float>(total);
  }
}

dnnl::memory::format_tag kernel_tag(std::int64_t block) {
  return block == 16 ? dnnl::memory::format_tag::OIdhw16i16o : dnnl::memory::format_tag::OIdhw8i8o;
}

}  // namespace

bool runs_on_blocks(const Context& context, const ConvolutionBackwardWeights& op) {
  const std::int64_t block = context.formats.layout().block;
  // Wider vectors than the registers that this code is compiled for are slow.
  if (context.formats[op.input].is_bf16 || block == 0 || block > passes::kNativeLanes ||
      context.formats[op.input].shape.width != block ||
      context.formats[op.grad_output].shape.width != block) {
    return false;
  }
  const Shape& k = context.program.tensor(op.grad_kernel).shape;
  const dnnl::memory::desc wanted({k[4], k[3], k[0], k[1], k[2]}, dnnl::memory::data_type::f32,
                                  kernel_tag(block));
  return context.parameters.at(op.grad_kernel) == wanted;
}

PlannedStage plan_blocked_weights(const Context& context, const ConvolutionBackwardWeights& op) {
  const int threads = context.threads;
  const std::int64_t block = context.formats.layout().block;
  const Division division(context.formats[op.input].shape, context.formats[op.grad_output].shape,
                          context.program.tensor(op.grad_kernel).shape[0], threads);
  ScratchSpace scratch;
  const std::int64_t kernel_sums =
      scratch.reserve(division.slabs * division.kernel_elements() * std::int64_t{sizeof(float)});
  const std::int64_t bias_sums =
      scratch.reserve(division.slabs * division.output_channels() * std::int64_t{sizeof(double)});
  PlannedStage planned;
  planned.scratch_bytes = scratch.bytes();
  planned.implementation = "blocked loops";
  planned.bind = [=](const Memory& memory, std::byte* base) -> Call {
    return [=, x = memory.in<float>(op.input), dy = memory.in<float>(op.grad_output),
            grad_kernel = memory.data(op.grad_kernel), grad_bias = memory.data(op.grad_bias)] {
      float* kernel = reinterpret_cast<float*>(base + kernel_sums);
      double* bias = reinterpret_cast<double*>(base + bias_sums);
      if constexpr (passes::kNativeLanes > 8) {
        if (block == 8) {
          backward_weights<Lanes<8>>(x, dy, division, kernel, bias, grad_kernel, grad_bias,
                                     threads);
          return;
        }
      }
      backward_weights<passes::NativeLanes>(x, dy, division, kernel, bias, grad_kernel, grad_bias,
                                            threads);
    };
  };
  return planned;
}

}  // namespace voxmark::onednn

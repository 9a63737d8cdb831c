#include "backends/onednn/kernels/transposed.h"

#include <omp.h>

#include <algorithm>

#include "backends/onednn/kernels/registers.h"
#include "backends/passes/lanes.h"
#include "backends/passes/passes.h"

namespace voxmark::onednn {
namespace {

using passes::kNativeLanes;
using passes::load;
using passes::store;
using passes::View;
using V = passes::NativeLanes;

constexpr std::int64_t kTaps = 8;
constexpr unsigned kRows = 4;     // voxels per block of accumulators
constexpr unsigned kColumns = 2;  // vectors per block: 8 accumulators hide the FMA's latency

// A tensor's channels as vectors that do not cross panels; the last one of a panel may have fewer
// lanes than a register.
class ChannelVectors {
 public:
  template <class T>
  explicit ChannelVectors(const View<T>& view) : ChannelVectors(view.shape, view.panel_stride) {}
  explicit ChannelVectors(const passes::PanelShape& shape, std::int64_t panel_stride = 0)
      : width_(shape.width),
        panel_stride_(panel_stride),
        per_panel_((shape.width + kNativeLanes - 1) / kNativeLanes),
        count_(shape.panels * per_panel_) {}

  struct Vector {
    std::int64_t channel;  // the first
    std::int64_t lanes;
    std::int64_t offset;  // from the sample's first voxel
  };
  std::int64_t count() const { return count_; }
  Vector operator[](std::int64_t index) const {
    const std::int64_t panel = index / per_panel_, c = index % per_panel_ * kNativeLanes;
    return {panel * width_ + c, std::min<std::int64_t>(kNativeLanes, width_ - c),
            panel * panel_stride_ + c};
  }

 private:
  std::int64_t width_, panel_stride_, per_panel_, count_;
};

template <class T>
void store_lanes(V value, std::int64_t lanes, T* to) {
  if (lanes == kNativeLanes) {
    store(value, to);
  } else {
    T values[kNativeLanes];
    store(value, values);
    std::copy(values, values + lanes, to);
  }
}

template <class T>
V load_lanes(const T* from, std::int64_t lanes) {
  if (lanes == kNativeLanes) {
    return load<V>(from);
  }
  T values[kNativeLanes] = {};
  std::copy(from, from + lanes, values);
  return load<V>(values);
}

// A transposed convolution's shape: input voxels and channels.
struct Size {
  Size(const Shape& kernel) : out(kernel[3]), in(kernel[4]) {}
  std::int64_t out, in;
  std::int64_t kernel_elements() const { return kTaps * out * in; }
};

// One row of input voxels (n, d, h, all w) and, for tap (kd, kh), the output row they meet.
struct Rows {
  std::int64_t n, d, h;
  std::int64_t input_voxel(const passes::PanelShape& input) const {
    return (d * input.h + h) * input.w;
  }
  std::int64_t output_voxel(const passes::PanelShape& input, std::int64_t tap) const {
    return ((2 * d + tap / 4) * 2 * input.h + 2 * h + tap / 2 % 2) * 2 * input.w + tap % 2;
  }
};

template <class Visit>
void for_each_row(const passes::PanelShape& input, int threads, Visit visit) {
  const std::int64_t rows = input.n * input.d * input.h;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t row = 0; row < rows; ++row) {
    visit(Rows{row / input.h / input.d, row / input.h % input.d, row % input.h});
  }
}

// acc[r][c] += sum_k a[r * stride + k] * b[c][k * kNativeLanes ...]
template <unsigned R, unsigned C, class T>
void multiply(const T* a, std::int64_t stride, const float* const (&b)[kColumns],
              std::int64_t depth, V (&acc)[kRows][kColumns]) {
  for (std::int64_t k = 0; k < depth; ++k) {
    V columns[C];
    for (unsigned c = 0; c < C; ++c) {
      columns[c] = load<V>(b[c] + k * kNativeLanes);
      keep_in_register(columns[c]);
    }
    for (unsigned r = 0; r < R; ++r) {
      const float x = static_cast<float>(a[r * stride + k]);
      for (unsigned c = 0; c < C; ++c) {
        acc[r][c] += x * columns[c];
      }
    }
  }
}

// Calls f.operator()<R>(w) for blocks of R voxels of a row.
template <class F>
void for_each_block(std::int64_t width, F f) {
  std::int64_t w = 0;
  for (; w + kRows <= width; w += kRows) {
    f.template operator()<kRows>(w);
  }
  for (; w < width; ++w) {
    f.template operator()<1>(w);
  }
}

// ---- Forward: packed (vector of out, tap, in, lanes); both taps along w are one block ----

void pack_by_output(const Size& size, const ChannelVectors& outputs, const float* kernel,
                    float* packed, int threads) {
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
  for (std::int64_t v = 0; v < outputs.count(); ++v) {
    for (std::int64_t tap = 0; tap < kTaps; ++tap) {
      const ChannelVectors::Vector vector = outputs[v];
      float* to = packed + (v * kTaps + tap) * size.in * kNativeLanes;
      for (std::int64_t i = 0; i < size.in; ++i) {
        for (std::int64_t lane = 0; lane < kNativeLanes; ++lane) {
          const std::int64_t o = vector.channel + lane;
          *to++ = lane < vector.lanes ? kernel[(tap * size.out + o) * size.in + i] : 0.0F;
        }
      }
    }
  }
}

template <class T>
void forward(const View<const T>& x, const Size& size, const float* packed, const float* bias,
             const View<T>& y, const ChannelVectors& outputs, int threads) {
  for_each_row(x.shape, threads, [&](const Rows& rows) {
    for (std::int64_t v = 0; v < outputs.count(); ++v) {
      const ChannelVectors::Vector vector = outputs[v];
      const V bias_lanes = load_lanes(bias + vector.channel, vector.lanes);
      for (std::int64_t tap = 0; tap < kTaps; tap += kColumns) {
        T* to =
            y.panel(rows.n, 0) + vector.offset + rows.output_voxel(x.shape, tap) * y.voxel_stride;
        const float* tap_weights = packed + (v * kTaps + tap) * size.in * kNativeLanes;
        for_each_block(x.shape.w, [&]<unsigned R>(std::int64_t w) {
          V acc[kRows][kColumns];
          for (auto& row : acc) {
            row[0] = row[1] = bias_lanes;
          }
          for (std::int64_t panel = 0; panel < x.shape.panels; ++panel) {
            const float* weights = tap_weights + panel * x.shape.width * kNativeLanes;
            const T* from =
                x.panel(rows.n, panel) + (rows.input_voxel(x.shape) + w) * x.voxel_stride;
            multiply<R, kColumns>(from, x.voxel_stride, {weights, weights + size.in * kNativeLanes},
                                  x.shape.width, acc);
          }
          for (unsigned r = 0; r < R; ++r) {
            T* pair = to + 2 * (w + r) * y.voxel_stride;
            store_lanes(acc[r][0], vector.lanes, pair);
            store_lanes(acc[r][1], vector.lanes, pair + y.voxel_stride);
          }
        });
      }
    }
  });
}

// ---- Backward data: packed (vector of in, tap, out, lanes) ----

void pack_by_input(const Size& size, const ChannelVectors& inputs, const float* kernel,
                   float* packed, int threads) {
  const std::int64_t rows = kTaps * size.out;
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
  for (std::int64_t v = 0; v < inputs.count(); ++v) {
    for (std::int64_t k = 0; k < rows; ++k) {
      const ChannelVectors::Vector vector = inputs[v];
      float* to = packed + (v * rows + k) * kNativeLanes;
      for (std::int64_t lane = 0; lane < kNativeLanes; ++lane) {
        to[lane] = lane < vector.lanes ? kernel[k * size.in + vector.channel + lane] : 0.0F;
      }
    }
  }
}

template <unsigned C, class T>
void backward_data_row(const View<const T>& dy, const Size& size, const float* packed,
                       const View<T>& dx, const ChannelVectors::Vector (&vectors)[kColumns],
                       const Rows& rows) {
  const std::int64_t vector_elements = size.kernel_elements() / size.in * kNativeLanes;
  for_each_block(dx.shape.w, [&]<unsigned R>(std::int64_t w) {
    V acc[kRows][kColumns] = {};
    for (std::int64_t tap = 0; tap < kTaps; ++tap) {
      for (std::int64_t panel = 0; panel < dy.shape.panels; ++panel) {
        const float* weights = packed + (tap * size.out + panel * dy.shape.width) * kNativeLanes;
        const T* from =
            dy.panel(rows.n, panel) + (rows.output_voxel(dx.shape, tap) + 2 * w) * dy.voxel_stride;
        multiply<R, C>(from, 2 * dy.voxel_stride, {weights, weights + vector_elements},
                       dy.shape.width, acc);
      }
    }
    T* to = dx.panel(rows.n, 0) + (rows.input_voxel(dx.shape) + w) * dx.voxel_stride;
    for (unsigned r = 0; r < R; ++r) {
      for (unsigned c = 0; c < C; ++c) {
        store_lanes(acc[r][c], vectors[c].lanes, to + r * dx.voxel_stride + vectors[c].offset);
      }
    }
  });
}

template <class T>
void backward_data(const View<const T>& dy, const Size& size, const float* packed,
                   const View<T>& dx, const ChannelVectors& inputs, int threads) {
  const std::int64_t vector_elements = size.kernel_elements() / size.in * kNativeLanes;
  for_each_row(dx.shape, threads, [&](const Rows& rows) {
    std::int64_t v = 0;
    for (; v + kColumns <= inputs.count(); v += kColumns) {
      backward_data_row<kColumns>(dy, size, packed + v * vector_elements, dx,
                                  {inputs[v], inputs[v + 1]}, rows);
    }
    if (v < inputs.count()) {
      backward_data_row<1>(dy, size, packed + v * vector_elements, dx, {inputs[v], inputs[v]},
                           rows);
    }
  });
}

// ---- Backward weights: sums (slabs, tap, out, in), of some rows of input voxels each ----

// To one float; more are split, so that rounding does not grow with the image.
constexpr std::int64_t kMostAdditions = 4096;

std::int64_t slab_count(const passes::PanelShape& input, int threads) {
  const std::int64_t rows = input.n * input.d * input.h;
  return threads * std::max<std::int64_t>(
                       1, (rows + threads * kMostAdditions - 1) / (threads * kMostAdditions));
}

// Input channels whose products are summed together, a vector or two, over one row of voxels.
template <class T>
struct InputRow {
  const T* x[kColumns];
  std::int64_t channels[kColumns];  // the first of each vector
  std::int64_t lanes;
  std::int64_t stride, voxels;
};

// Adds the row's products of O output channels and C input vectors; sums (o, in).
template <unsigned O, unsigned C, class T>
void add_products(const T* dy, std::int64_t dy_stride, const InputRow<T>& row, std::int64_t in,
                  float* sums) {
  V acc[O][C] = {};
  for (std::int64_t v = 0; v < row.voxels; ++v) {
    V values[C];
    for (unsigned c = 0; c < C; ++c) {
      values[c] = C == 1 ? load_lanes(row.x[c] + v * row.stride, row.lanes)
                         : load<V>(row.x[c] + v * row.stride);
      keep_in_register(values[c]);
    }
    for (unsigned o = 0; o < O; ++o) {
      const float gradient = static_cast<float>(dy[v * dy_stride + o]);
      for (unsigned c = 0; c < C; ++c) {
        acc[o][c] += gradient * values[c];
      }
    }
  }
  for (unsigned o = 0; o < O; ++o) {
    for (unsigned c = 0; c < C; ++c) {
      float* sum = sums + o * in + row.channels[c];
      store_lanes(load_lanes(sum, row.lanes) + acc[o][c], row.lanes, sum);
    }
  }
}

template <unsigned C, class T>
void add_row(const View<const T>& dy, const Rows& rows, const passes::PanelShape& input,
             const InputRow<T>& row, const Size& size, float* sums) {
  constexpr unsigned kOutputs = 8 / C;
  for (std::int64_t tap = 0; tap < kTaps; ++tap) {
    for (std::int64_t panel = 0; panel < dy.shape.panels; ++panel) {
      const T* gradients =
          dy.panel(rows.n, panel) + rows.output_voxel(input, tap) * dy.voxel_stride;
      float* to = sums + (tap * size.out + panel * dy.shape.width) * size.in;
      std::int64_t o = 0;
      for (; o + kOutputs <= dy.shape.width; o += kOutputs) {
        add_products<kOutputs, C>(gradients + o, 2 * dy.voxel_stride, row, size.in,
                                  to + o * size.in);
      }
      for (; o < dy.shape.width; ++o) {
        add_products<1, C>(gradients + o, 2 * dy.voxel_stride, row, size.in, to + o * size.in);
      }
    }
  }
}

template <class T>
void backward_weights(const View<const T>& x, const View<const T>& dy, const Size& size,
                      float* sums, float* grad_kernel, int threads) {
  const std::int64_t count = size.kernel_elements(), slabs = slab_count(x.shape, threads);
  const ChannelVectors inputs(x);
  const auto add_slab = [&](std::int64_t slab) {
    float* own = sums + slab * count;
    std::fill_n(own, count, 0.0F);
    const std::int64_t row_count = x.shape.n * x.shape.d * x.shape.h;
    for (std::int64_t index = slab * row_count / slabs; index < (slab + 1) * row_count / slabs;
         ++index) {
      const Rows rows{index / x.shape.h / x.shape.d, index / x.shape.h % x.shape.d,
                      index % x.shape.h};
      const T* first = x.panel(rows.n, 0) + rows.input_voxel(x.shape) * x.voxel_stride;
      const auto is_full = [&](std::int64_t v) {
        return v < inputs.count() && inputs[v].lanes == kNativeLanes;
      };
      for (std::int64_t v = 0; v < inputs.count();) {
        const bool is_pair = is_full(v) && is_full(v + 1);
        const ChannelVectors::Vector vector = inputs[v], next = inputs[is_pair ? v + 1 : v];
        const InputRow<T> row{{first + vector.offset, first + next.offset},
                              {vector.channel, next.channel},
                              vector.lanes,
                              x.voxel_stride,
                              x.shape.w};
        if (is_pair) {
          add_row<2>(dy, rows, x.shape, row, size, own);
        } else {
          add_row<1>(dy, rows, x.shape, row, size, own);
        }
        v += is_pair ? 2 : 1;
      }
    }
  };
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static)
    for (std::int64_t slab = 0; slab < slabs; ++slab) {
      add_slab(slab);
    }
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < count; ++i) {
      double total = 0;
      for (std::int64_t slab = 0; slab < slabs; ++slab) {
        total += static_cast<double>(sums[slab * count + i]);
      }
      grad_kernel[i] = static_cast<float>(total);
    }
  }
}

constexpr const char* kName = "transposed gemm loops";
constexpr std::int64_t kFloatBytes = sizeof(float);

}  // namespace

PlannedStage plan_transposed(const Context& context, const TransposedConvolution& op) {
  const Size size(context.program.tensor(op.kernel).shape);
  PlannedStage planned;
  const ChannelVectors outputs(context.formats[op.output].shape);
  planned.scratch_bytes = kTaps * outputs.count() * kNativeLanes * size.in * kFloatBytes;
  planned.implementation = kName;
  with_storage(context.formats[op.input], [&]<class T>() {
    planned.bind = [=, threads = context.threads](const Memory& memory,
                                                  std::byte* scratch) -> Call {
      float* packed = reinterpret_cast<float*>(scratch);
      return [=, x = memory.in<T>(op.input), kernel = memory.data(op.kernel),
              bias = memory.data(op.bias), y = memory.out<T>(op.output),
              outputs = ChannelVectors(memory.in<T>(op.output))] {
        pack_by_output(size, outputs, kernel, packed, threads);
        forward(x, size, packed, bias, y, outputs, threads);
      };
    };
  });
  return planned;
}

PlannedStage plan_transposed(const Context& context, const TransposedConvolutionBackwardData& op) {
  const Size size(context.program.tensor(op.kernel).shape);
  PlannedStage planned;
  const ChannelVectors inputs(context.formats[op.grad_input].shape);
  planned.scratch_bytes = kTaps * size.out * inputs.count() * kNativeLanes * kFloatBytes;
  planned.implementation = kName;
  with_storage(context.formats[op.grad_output], [&]<class T>() {
    planned.bind = [=, threads = context.threads](const Memory& memory,
                                                  std::byte* scratch) -> Call {
      float* packed = reinterpret_cast<float*>(scratch);
      return [=, dy = memory.in<T>(op.grad_output), kernel = memory.data(op.kernel),
              dx = memory.out<T>(op.grad_input),
              inputs = ChannelVectors(memory.in<T>(op.grad_input))] {
        pack_by_input(size, inputs, kernel, packed, threads);
        backward_data(dy, size, packed, dx, inputs, threads);
      };
    };
  });
  return planned;
}

PlannedStage plan_transposed(const Context& context,
                             const TransposedConvolutionBackwardWeights& op) {
  const Size size(context.program.tensor(op.grad_kernel).shape);
  const int threads = context.threads;
  ScratchSpace scratch;
  const std::int64_t slabs = slab_count(context.formats[op.input].shape, threads);
  const std::int64_t sums = scratch.reserve(slabs * size.kernel_elements() * kFloatBytes);
  const std::int64_t bias =
      scratch.reserve(passes::reduction_scratch_bytes(context.formats[op.grad_output].shape));
  PlannedStage planned;
  planned.scratch_bytes = scratch.bytes();
  planned.implementation = kName;
  with_storage(context.formats[op.input], [&]<class T>() {
    planned.bind = [=](const Memory& memory, std::byte* base) -> Call {
      return [=, x = memory.in<T>(op.input), dy = memory.in<T>(op.grad_output),
              grad_kernel = memory.data(op.grad_kernel), grad_bias = memory.data(op.grad_bias)] {
        backward_weights(x, dy, size, reinterpret_cast<float*>(base + sums), grad_kernel, threads);
        passes::channel_sums(dy, grad_bias, base + bias, threads);
      };
    };
  });
  return planned;
}

}  // namespace voxmark::onednn

#include "backends/onednn/one_channel.h"

#include <omp.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "backends/onednn/convolution.h"
#include "backends/onednn/kernels/primitives.h"
#include "backends/passes/lanes.h"
#include "backends/passes/passes.h"

namespace voxmark::onednn {
namespace {

using passes::kLanes;
using passes::load;
using passes::View;

struct Row {  // of output voxels
  std::int64_t d, h;
};

// Adds one row's contributions to sums (taps, out): each tap's products are summed in float along
// the row, and rows in double.
template <class V, class T>
void add_row(const View<const T>& x, const T* image, const T* gradients, std::int64_t stride,
             Row row, std::int64_t extent, std::int64_t out, double* sums) {
  const std::int64_t pad = extent / 2, width = x.shape.w;
  for (std::int64_t kd = 0; kd < extent; ++kd) {
    const std::int64_t d = row.d + kd - pad;
    for (std::int64_t kh = 0; kh < extent; ++kh) {
      const std::int64_t h = row.h + kh - pad;
      if (d < 0 || d >= x.shape.d || h < 0 || h >= x.shape.h) {
        continue;
      }
      const T* values = image + (d * x.shape.h + h) * width;
      for (std::int64_t kw = 0; kw < extent; ++kw) {
        const std::int64_t shift = kw - pad;
        const std::int64_t first = std::max<std::int64_t>(0, -shift);
        const std::int64_t last = std::min(width, width - shift);
        constexpr std::int64_t kChains = 4;  // independent sums hide the latency of adding
        V partial[kChains] = {};
        std::int64_t w = first;
        for (; w + kChains <= last; w += kChains) {
          for (std::int64_t i = 0; i < kChains; ++i) {
            partial[i] +=
                static_cast<float>(values[w + shift + i]) * load<V>(gradients + (w + i) * stride);
          }
        }
        for (; w < last; ++w) {
          partial[0] += static_cast<float>(values[w + shift]) * load<V>(gradients + w * stride);
        }
        const V total = (partial[0] + partial[1]) + (partial[2] + partial[3]);
        float lanes[kLanes<V>];
        passes::store(total, lanes);
        double* tap = sums + ((kd * extent + kh) * extent + kw) * out;
        for (std::int64_t lane = 0; lane < kLanes<V>; ++lane) {
          tap[lane] += static_cast<double>(lanes[lane]);
        }
      }
    }
  }
}

// grad_kernel (taps, 1, out). `sums`: (threads, taps, out) doubles.
template <class T>
void backward_weights(const View<const T>& x, const View<const T>& dy, std::int64_t extent,
                      double* sums, float* grad_kernel, int threads) {
  const std::int64_t out = dy.shape.channels();
  const std::int64_t count = extent * extent * extent * out;
  std::fill(sums, sums + threads * count, 0.0);
#pragma omp parallel num_threads(threads)
  {
    double* own = sums + omp_get_thread_num() * count;
#pragma omp for schedule(static)
    for (std::int64_t plane = 0; plane < dy.shape.n * dy.shape.d; ++plane) {
      const std::int64_t n = plane / dy.shape.d, d = plane % dy.shape.d;
      for (std::int64_t h = 0; h < dy.shape.h; ++h) {
        for (std::int64_t panel = 0; panel < dy.shape.panels; ++panel) {
          const T* gradients =
              dy.panel(n, panel) + (d * dy.shape.h + h) * dy.shape.w * dy.voxel_stride;
          passes::for_each_lane_group(dy.shape.width, [&]<class V, unsigned U>(std::int64_t first) {
            for (unsigned u = 0; u < U; ++u) {
              const std::int64_t c = first + u * kLanes<V>;
              add_row<V>(x, x.panel(n, 0), gradients + c, dy.voxel_stride, {d, h}, extent, out,
                         own + panel * dy.shape.width + c);
            }
          });
        }
      }
    }
  }
  for (std::int64_t i = 0; i < count; ++i) {
    double total = 0;
    for (int thread = 0; thread < threads; ++thread) {
      total += sums[thread * count + i];
    }
    grad_kernel[i] = static_cast<float>(total);
  }
}

}  // namespace

PlannedStage plan_one_channel(const Context& context, const ConvolutionBackwardWeights& op) {
  const Shape& kernel = context.program.tensor(op.grad_kernel).shape;
  const std::int64_t count = elements(kernel), extent = kernel[0];
  const int threads = context.threads;
  ScratchSpace scratch;
  const std::int64_t sums = scratch.reserve(threads * count * std::int64_t{sizeof(double)});
  const std::int64_t plain = scratch.reserve(count * std::int64_t{sizeof(float)});
  const std::int64_t bias =
      scratch.reserve(passes::reduction_scratch_bytes(context.formats[op.grad_output].shape));
  const dnnl::memory::desc stored = context.parameters.at(op.grad_kernel);
  PlannedStage planned;
  planned.scratch_bytes = scratch.bytes();
  planned.implementation = "one-channel loop";
  with_storage(context.formats[op.input], [&]<class T>() {
    planned.bind = [=, engine = context.engine](const Memory& memory, std::byte* base) -> Call {
      float* grad_kernel = reinterpret_cast<float*>(base + plain);
      const dnnl::memory::desc from = program_kernel_desc(kernel);
      const auto to_stored = std::make_shared<Primitives>(engine);
      to_stored->add(
          dnnl::reorder(dnnl::reorder::primitive_desc(engine, from, engine, stored)),
          {{DNNL_ARG_FROM, from, grad_kernel}, {DNNL_ARG_TO, stored, memory.data(op.grad_kernel)}});
      return [=, x = memory.in<T>(op.input), dy = memory.in<T>(op.grad_output),
              grad_bias = memory.data(op.grad_bias)] {
        backward_weights(x, dy, extent, reinterpret_cast<double*>(base + sums), grad_kernel,
                         threads);
        passes::channel_sums(dy, grad_bias, base + bias, threads);
        to_stored->execute();
      };
    };
  });
  return planned;
}

}  // namespace voxmark::onednn

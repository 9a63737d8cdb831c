#include "backends/onednn/kernels/pointwise.h"

#include <omp.h>

#include <algorithm>

#include "backends/passes/lanes.h"
#include "backends/passes/passes.h"

namespace voxmark::onednn {
namespace {

using passes::kLanes;
using passes::load;
using passes::store;
using passes::View;

constexpr std::int64_t kRun = 64;  // voxels whose logits stay in registers or the first cache

template <class V>
float sum_of_lanes(V lanes) {
  if constexpr (kLanes<V> == 1) {
    return lanes;
  } else {
    float values[kLanes<V>];
    store(lanes, values);
    float sum = 0;
    for (const float value : values) {
      sum += value;
    }
    return sum;
  }
}

// Calls visit(sample, first voxel, last voxel) for runs of voxels, in parallel.
template <class Visit>
void for_each_run(const passes::PanelShape& shape, int threads, Visit visit) {
  const std::int64_t per_sample = (shape.voxels() + kRun - 1) / kRun;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t run = 0; run < shape.n * per_sample; ++run) {
    const std::int64_t first = run % per_sample * kRun;
    visit(run / per_sample, first, std::min(first + kRun, shape.voxels()));
  }
}

// Calls visit.operator()<V>(panel, c of the panel, c of the tensor) for vectors of channels.
template <class Visit>
void for_each_vector(const passes::PanelShape& shape, Visit visit) {
  for (std::int64_t panel = 0; panel < shape.panels; ++panel) {
    passes::for_each_lane_group(shape.width, [&]<class V, unsigned U>(std::int64_t first) {
      for (unsigned u = 0; u < U; ++u) {
        const std::int64_t c = first + u * kLanes<V>;
        visit.template operator()<V>(panel, c, panel * shape.width + c);
      }
    });
  }
}

// Transposed, out by in: a vector of input channels is contiguous.
void transpose(const float* kernel, std::int64_t in, std::int64_t out, float* transposed) {
  for (std::int64_t i = 0; i < in; ++i) {
    for (std::int64_t o = 0; o < out; ++o) {
      transposed[o * in + i] = kernel[i * out + o];
    }
  }
}

// y (n, voxels, out); kernel (out, in).
template <class T>
void forward(const View<const T>& x, const float* kernel, const float* bias, View<float> y,
             int threads) {
  const std::int64_t in = x.shape.channels(), out = y.shape.width;
  for_each_run(x.shape, threads, [&](std::int64_t n, std::int64_t first, std::int64_t last) {
    for (std::int64_t v = first; v < last; ++v) {
      float* logits = y.panel(n, 0) + v * out;
      std::copy(bias, bias + out, logits);
      for_each_vector(x.shape, [&]<class V>(std::int64_t panel, std::int64_t c, std::int64_t i) {
        const V value = load<V>(x.panel(n, panel) + v * x.voxel_stride + c);
        for (std::int64_t o = 0; o < out; ++o) {
          logits[o] += sum_of_lanes<V>(value * load<V>(kernel + o * in + i));
        }
      });
    }
  });
}

template <class T>
void backward_data(const View<const float>& dy, const float* kernel, View<T> dx, int threads) {
  const std::int64_t in = dx.shape.channels(), out = dy.shape.width;
  for_each_run(dx.shape, threads, [&](std::int64_t n, std::int64_t first, std::int64_t last) {
    for_each_vector(dx.shape, [&]<class V>(std::int64_t panel, std::int64_t c, std::int64_t i) {
      for (std::int64_t v = first; v < last; ++v) {
        const float* gradient = dy.panel(n, 0) + v * out;
        V sum{};
        for (std::int64_t o = 0; o < out; ++o) {
          sum += gradient[o] * load<V>(kernel + o * in + i);
        }
        store(sum, dx.panel(n, panel) + v * dx.voxel_stride + c);
      }
    });
  });
}

// grad_kernel (in, out). `sums`: (threads, out, in) doubles; runs are summed in float.
template <class T>
void backward_weights(const View<const T>& x, const View<const float>& dy, double* sums,
                      float* grad_kernel, int threads) {
  const std::int64_t in = x.shape.channels(), out = dy.shape.width, count = in * out;
  std::fill(sums, sums + threads * count, 0.0);
  for_each_run(x.shape, threads, [&](std::int64_t n, std::int64_t first, std::int64_t last) {
    double* own = sums + omp_get_thread_num() * count;
    for_each_vector(x.shape, [&]<class V>(std::int64_t panel, std::int64_t c, std::int64_t i) {
      for (std::int64_t o = 0; o < out; ++o) {
        constexpr std::int64_t kChains = 4;  // independent sums hide the latency of adding
        V partial[kChains] = {};
        const auto add = [&](std::int64_t v, std::int64_t chain) {
          partial[chain] +=
              dy.panel(n, 0)[v * out + o] * load<V>(x.panel(n, panel) + v * x.voxel_stride + c);
        };
        std::int64_t v = first;
        for (; v + kChains <= last; v += kChains) {
          for (std::int64_t chain = 0; chain < kChains; ++chain) {
            add(v + chain, chain);
          }
        }
        for (; v < last; ++v) {
          add(v, 0);
        }
        float lanes[kLanes<V>];
        store<V>((partial[0] + partial[1]) + (partial[2] + partial[3]), lanes);
        for (std::int64_t lane = 0; lane < kLanes<V>; ++lane) {
          own[o * in + i + lane] += static_cast<double>(lanes[lane]);
        }
      }
    });
  });
  for (std::int64_t o = 0; o < out; ++o) {
    for (std::int64_t i = 0; i < in; ++i) {
      double total = 0;
      for (int thread = 0; thread < threads; ++thread) {
        total += sums[thread * count + o * in + i];
      }
      grad_kernel[i * out + o] = static_cast<float>(total);
    }
  }
}

struct KernelSize {
  KernelSize(const Program& program, TensorId kernel)
      : in(program.tensor(kernel).shape[3]), out(program.tensor(kernel).shape[4]) {}
  std::int64_t float_bytes() const { return in * out * std::int64_t{sizeof(float)}; }
  std::int64_t in, out;
};

constexpr const char* kName = "pointwise loop";

}  // namespace

bool makes_logits(const Program& program, const Convolution& op) {
  return std::any_of(program.ops.begin(), program.ops.end(), [&](const Op& other) {
    const auto* sigmoid = std::get_if<Sigmoid>(&other.kind);
    const auto* softmax = std::get_if<Softmax>(&other.kind);
    return (sigmoid != nullptr && sigmoid->input == op.output) ||
           (softmax != nullptr && softmax->input == op.output);
  });
}

bool is_pointwise(const Program& program, const Convolution& op) {
  constexpr std::int64_t kFew = 16;
  const Shape& kernel = program.tensor(op.kernel).shape;
  return kernel[0] == 1 && kernel[4] <= kFew && makes_logits(program, op);
}

PlannedStage plan_pointwise(const Context& context, const Convolution& op) {
  const KernelSize size(context.program, op.kernel);
  PlannedStage planned;
  planned.scratch_bytes = size.float_bytes();
  planned.implementation = kName;
  with_storage(context.formats[op.input], [&]<class T>() {
    planned.bind = [=, threads = context.threads](const Memory& memory,
                                                  std::byte* scratch) -> Call {
      float* transposed = reinterpret_cast<float*>(scratch);
      return [=, x = memory.in<T>(op.input), kernel = memory.data(op.kernel),
              bias = memory.data(op.bias), y = memory.out<float>(op.output)] {
        transpose(kernel, size.in, size.out, transposed);
        forward(x, transposed, bias, y, threads);
      };
    };
  });
  return planned;
}

PlannedStage plan_pointwise(const Context& context, const ConvolutionBackwardData& op) {
  const KernelSize size(context.program, op.kernel);
  PlannedStage planned;
  planned.scratch_bytes = size.float_bytes();
  planned.implementation = kName;
  with_storage(context.formats[op.grad_input], [&]<class T>() {
    planned.bind = [=, threads = context.threads](const Memory& memory,
                                                  std::byte* scratch) -> Call {
      float* transposed = reinterpret_cast<float*>(scratch);
      return [=, dy = memory.in<float>(op.grad_output), kernel = memory.data(op.kernel),
              dx = memory.out<T>(op.grad_input)] {
        transpose(kernel, size.in, size.out, transposed);
        backward_data(dy, transposed, dx, threads);
      };
    };
  });
  return planned;
}

PlannedStage plan_pointwise(const Context& context, const ConvolutionBackwardWeights& op) {
  const KernelSize size(context.program, op.grad_kernel);
  const int threads = context.threads;
  ScratchSpace scratch;
  const std::int64_t sums =
      scratch.reserve(threads * size.in * size.out * std::int64_t{sizeof(double)});
  const std::int64_t bias =
      scratch.reserve(passes::reduction_scratch_bytes(context.formats[op.grad_output].shape));
  PlannedStage planned;
  planned.scratch_bytes = scratch.bytes();
  planned.implementation = kName;
  with_storage(context.formats[op.input], [&]<class T>() {
    planned.bind = [=](const Memory& memory, std::byte* base) -> Call {
      return [=, x = memory.in<T>(op.input), dy = memory.in<float>(op.grad_output),
              grad_kernel = memory.data(op.grad_kernel), grad_bias = memory.data(op.grad_bias)] {
        backward_weights(x, dy, reinterpret_cast<double*>(base + sums), grad_kernel, threads);
        passes::channel_sums(dy, grad_bias, base + bias, threads);
      };
    };
  });
  return planned;
}

}  // namespace voxmark::onednn

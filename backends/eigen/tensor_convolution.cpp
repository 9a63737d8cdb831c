#include "backends/eigen/tensor_convolution.h"

#include <omp.h>

#include <algorithm>

#include "backends/eigen/scratch.h"
#include "backends/eigen/tensor_device.h"

namespace voxmark::eigen {
namespace {

using Eigen::Index;
template <int Rank>
using ConstMap = Eigen::TensorMap<Eigen::Tensor<const float, Rank>>;
// What to contract: one dimension of each operand.
using Pair = Eigen::array<Eigen::IndexPair<Index>, 1>;

// Evaluates a contraction straight into `result`.
template <class Expression>
void evaluate(const Expression& expression, const ScratchDevice& device, float* result) {
  Eigen::TensorEvaluator<const Expression, ScratchDevice> evaluator(expression, device);
  evaluator.evalSubExprsIfNeeded(result);
  evaluator.cleanup();
}

// Planes d0 to d1 of sample n of the output.
struct Slab {
  Index n, d0, d1;
  Index planes() const { return d1 - d0; }
};
// Enough slabs to keep all threads busy to the end, and none with so many patches that packing
// them leaves caches.
constexpr Index kSlabPositions = 16 * 1024;
class Slabs {
 public:
  Slabs(const ConvolutionShape& s, int threads) : s_(s) {
    const Index by_size = kSlabPositions / (s.h * s.w), by_threads = s.n * s.d / (4 * threads);
    planes_ = std::clamp<Index>(std::min(by_size, by_threads), 1, s.d);
    per_sample_ = (s.d + planes_ - 1) / planes_;
  }
  Index count() const { return s_.n * per_sample_; }
  Slab operator[](Index i) const {
    const Index d0 = i % per_sample_ * planes_;
    return {i / per_sample_, d0, std::min(d0 + planes_, s_.d)};
  }
  // Of the largest slab, and of the last one of a sample.
  Index positions() const { return planes_ * s_.h * s_.w; }
  Index last_positions() const { return (*this)[per_sample_ - 1].planes() * s_.h * s_.w; }

 private:
  const ConvolutionShape& s_;
  Index planes_, per_sample_;
};

// The patches of a slab of an image with `channels` channels. Column-major dimensions are those of
// memory from the fastest on: C, W, H, D, N.
class Patches {
 public:
  Patches(const ConvolutionShape& s, const Slab& slab, Index channels, const float* image)
      : shape_(s),
        slab_(slab),
        first_(std::max<Index>(slab.d0 - s.pad(), 0)),
        last_(std::min<Index>(slab.d1 + s.pad(), s.d)),
        planes_(image + (slab.n * s.d + first_) * s.h * s.w * channels, channels, s.w, s.h,
                last_ - first_, 1) {}

  // (taps * channels, positions); refers to this object.
  auto expression() const {
    const Index k = shape_.extent, p = shape_.pad();
    const Index before = p - (slab_.d0 - first_), after = p - (last_ - slab_.d1);
    return planes_
        .extract_volume_patches(k, k, k, 1, 1, 1, 1, 1, 1, p, p, p, p, before, after, 0.0F)
        .reshape(Eigen::array<Index, 2>{shape_.taps() * planes_.dimension(0),
                                        slab_.planes() * shape_.h * shape_.w});
  }

 private:
  const ConvolutionShape& shape_;
  const Slab& slab_;
  Index first_, last_;
  ConstMap<5> planes_;
};

// Floats that a contraction of (m, k) with (k, n) packs its operands into.
std::int64_t packing_floats(Index m, Index k, Index n) {
  const Eigen::internal::TensorContractionBlocking<float, float, float, Index,
                                                   Eigen::internal::ShardByCol>
      blocking(k, m, n, 1);
  return Carver::padded(std::min(m, blocking.mc()) * blocking.kc()) +
         Carver::padded(blocking.kc() * std::min(n, blocking.nc()));
}

// A device per thread. `packing(positions)`: floats for a slab of so many.
class Devices {
 public:
  template <class Packing>
  Devices(const Slabs& slabs, Index patch_size, int threads, Carver& carver, Packing packing)
      : patches_(slabs.positions()),
        patch_size_(patch_size),
        packing_(std::max(packing(slabs.positions()), packing(slabs.last_positions()))) {
    Carver counted(nullptr);
    ScratchDevice(patches_, patch_size_, packing_, counted);
    stride_ = counted.bytes();
    memory_ = carver.take(stride_ * threads);
  }
  ScratchDevice operator[](int thread) const {
    Carver own(memory_ + thread * stride_);
    return ScratchDevice(patches_, patch_size_, packing_, own);
  }

 private:
  Index patches_, patch_size_;
  std::int64_t packing_, stride_;
  std::byte* memory_;
};

// Forward and backward_data: kernel (rows, patch size) times patches, `in` channels to `out`.
struct DataBuffers {
  Slabs slabs;
  float* kernel;  // (k, k, k, in, out), where the program's own does not serve
  Devices devices;

  DataBuffers(const ConvolutionShape& s, Index in, Index out, int threads, Carver& carver)
      : slabs(s, threads),
        kernel(carver.floats(s.taps() * in * out)),
        devices(slabs, s.taps() * in, threads, carver,
                [&](Index positions) { return packing_floats(out, s.taps() * in, positions); }) {}
};

struct WeightsBuffers {
  Slabs slabs;
  Devices devices;
  float* sums;     // (out, taps * in), of a thread's slabs
  float* product;  // of one slab
  Index stride;

  WeightsBuffers(const ConvolutionShape& s, int threads, Carver& carver)
      : slabs(s, threads),
        devices(slabs, s.taps() * s.in, threads, carver,
                [&](Index positions) { return packing_floats(s.taps() * s.in, positions, s.out); }),
        stride(Carver::padded(s.taps() * s.in * s.out)) {
    sums = carver.floats(stride * threads);
    product = carver.floats(stride * threads);
  }
};

// output (positions, out) of every slab = kernel (patch size, out) applied to its patches.
template <class Finish>
void contract_slabs(const ConvolutionShape& s, const DataBuffers& buffers, Index in, Index out,
                    const float* image, const float* kernel, float* output, int threads,
                    Finish finish) {
  const ConstMap<2> weights(kernel, out, s.taps() * in);
#pragma omp parallel num_threads(threads)
  {
    const ScratchDevice device = buffers.devices[omp_get_thread_num()];
#pragma omp for schedule(dynamic)
    for (Index i = 0; i < buffers.slabs.count(); ++i) {
      const Slab slab = buffers.slabs[i];
      const Patches patches(s, slab, in, image);
      float* y = output + (slab.n * s.d + slab.d0) * s.h * s.w * out;
      evaluate(weights.contract(patches.expression(), Pair{Eigen::IndexPair<Index>(1, 0)}), device,
               y);
      finish(y, slab.planes() * s.h * s.w);
    }
  }
}

}  // namespace

std::int64_t tensor_convolution_scratch_bytes(const ConvolutionShape& s, int threads) {
  Carver forward(nullptr), data(nullptr), weights(nullptr);
  const DataBuffers a(s, s.in, s.out, threads, forward), b(s, s.out, s.in, threads, data);
  const WeightsBuffers c(s, threads, weights);
  return std::max({forward.bytes(), data.bytes(), weights.bytes()});
}

void tensor_convolve(const ConvolutionShape& s, const float* input, const float* kernel,
                     const float* bias, float* output, std::byte* scratch, int threads) {
  Carver carver(scratch);
  const DataBuffers buffers(s, s.in, s.out, threads, carver);
  const Eigen::Map<const Eigen::VectorXf> biases(bias, s.out);
  contract_slabs(s, buffers, s.in, s.out, input, kernel, output, threads,
                 [&](float* y, Index positions) {
                   Eigen::Map<Eigen::MatrixXf>(y, s.out, positions).colwise() += biases;
                 });
}

void tensor_backward_data(const ConvolutionShape& s, const float* grad_output, const float* kernel,
                          float* grad_input, std::byte* scratch, int threads) {
  Carver carver(scratch);
  const DataBuffers buffers(s, s.out, s.in, threads, carver);
  const Index tap_floats = s.in * s.out;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (Index tap = 0; tap < s.taps(); ++tap) {  // mirrored and transposed: (out, in) to (in, out)
    Eigen::Map<Eigen::MatrixXf>(buffers.kernel + tap * tap_floats, s.in, s.out) =
        Eigen::Map<const Eigen::MatrixXf>(kernel + (s.taps() - 1 - tap) * tap_floats, s.out, s.in)
            .transpose();
  }
  contract_slabs(s, buffers, s.out, s.in, grad_output, buffers.kernel, grad_input, threads,
                 [](float*, Index) {});
}

void tensor_backward_weights(const ConvolutionShape& s, const float* input,
                             const float* grad_output, float* grad_kernel, std::byte* scratch,
                             int threads) {
  Carver carver(scratch);
  const WeightsBuffers buffers(s, threads, carver);
  const Index rows = s.taps() * s.in, kernel_floats = rows * s.out;
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    const ScratchDevice device = buffers.devices[thread];
    Eigen::Map<Eigen::ArrayXf> sums(buffers.sums + thread * buffers.stride, kernel_floats);
    Eigen::Map<Eigen::ArrayXf> product(buffers.product + thread * buffers.stride, kernel_floats);
    sums.setZero();
#pragma omp for schedule(static)
    for (Index i = 0; i < buffers.slabs.count(); ++i) {
      const Slab slab = buffers.slabs[i];
      const Patches patches(s, slab, s.in, input);
      const ConstMap<2> dy(grad_output + (slab.n * s.d + slab.d0) * s.h * s.w * s.out, s.out,
                           slab.planes() * s.h * s.w);
      // Patches come first: their elements are contiguous, and (taps * in) rows fill the kernel's
      // panels where `out` of a fine level would not.
      evaluate(patches.expression().contract(dy, Pair{Eigen::IndexPair<Index>(1, 1)}), device,
               product.data());
      sums += product;
    }
#pragma omp for schedule(static)
    for (Index row = 0; row < rows; ++row) {
      for (Index o = 0; o < s.out; ++o) {
        double sum = 0;
        for (int from = 0; from < threads; ++from) {
          sum += static_cast<double>(buffers.sums[from * buffers.stride + o * rows + row]);
        }
        grad_kernel[row * s.out + o] = static_cast<float>(sum);
      }
    }
  }
}

}  // namespace voxmark::eigen

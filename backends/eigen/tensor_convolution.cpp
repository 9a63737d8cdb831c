#include "backends/eigen/tensor_convolution.h"

#include <omp.h>

#include <algorithm>
#include <unsupported/Eigen/CXX11/Tensor>

#include "backends/eigen/scratch.h"

namespace voxmark::eigen {
namespace {

using Eigen::Index;
template <int Rank>
using Map = Eigen::TensorMap<Eigen::Tensor<float, Rank>>;
template <int Rank>
using ConstMap = Eigen::TensorMap<Eigen::Tensor<const float, Rank>>;
// What to contract: one dimension of each operand.
using Pair = Eigen::array<Eigen::IndexPair<Index>, 1>;

// Eigen's default device, but for its memory: one block of scratch, handed out front to back.
// A contraction takes its packing buffers once and gives them back at its end.
class ScratchDevice : public Eigen::DefaultDevice {
 public:
  ScratchDevice(float* memory, std::int64_t floats)
      : memory_(reinterpret_cast<std::byte*>(memory)),
        bytes_(static_cast<std::size_t>(floats) * sizeof(float)) {}
  void* allocate(std::size_t bytes) const {
    eigen_assert(bytes <= bytes_);
    static_cast<void>(bytes_);
    static_cast<void>(bytes);
    return memory_;
  }
  void deallocate(void*) const {}

 private:
  std::byte* memory_;
  std::size_t bytes_;
};

// Floats that a contraction of (m, k) with (k, n) allocates to pack its operands.
std::int64_t packing_floats(Index m, Index k, Index n) {
  const Eigen::internal::TensorContractionBlocking<float, float, float, Index,
                                                   Eigen::internal::ShardByCol>
      blocking(k, m, n, 1);
  return Carver::padded(std::min(m, blocking.mc()) * blocking.kc()) +
         Carver::padded(blocking.kc() * std::min(n, blocking.nc()));
}

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
  Index positions() const { return planes_ * s_.h * s_.w; }  // of the largest slab

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

struct Buffers {
  float* kernel;   // the mirrored, transposed kernel of backward_data
  float* packing;  // per thread
  float* sums;     // backward_weights: gradient of the thread's slabs, per thread
  float* product;  // backward_weights: of one slab, per thread
  Index packing_stride, kernel_floats, sums_stride;

  Buffers(const ConvolutionShape& s, int threads, bool is_weights, Carver& carver) {
    const Slabs slabs(s, threads);
    const Index positions = slabs.positions();
    kernel_floats = s.taps() * s.in * s.out;
    sums_stride = Carver::padded(kernel_floats);
    packing_stride = is_weights ? packing_floats(s.taps() * s.in, positions, s.out)
                                : std::max(packing_floats(s.out, s.taps() * s.in, positions),
                                           packing_floats(s.in, s.taps() * s.out, positions));
    kernel = carver.floats(is_weights ? 0 : kernel_floats);
    packing = carver.floats(packing_stride * threads);
    sums = carver.floats(is_weights ? sums_stride * threads : 0);
    product = carver.floats(is_weights ? sums_stride * threads : 0);
  }
  ScratchDevice device() const {
    return {packing + omp_get_thread_num() * packing_stride, packing_stride};
  }
};

}  // namespace

std::int64_t tensor_convolution_scratch_bytes(const ConvolutionShape& shape, int threads) {
  Carver data(nullptr), weights(nullptr);
  const Buffers a(shape, threads, false, data), b(shape, threads, true, weights);
  return std::max(data.bytes(), weights.bytes());
}

void tensor_convolve(const ConvolutionShape& s, const float* input, const float* kernel,
                     const float* bias, float* output, std::byte* scratch, int threads) {
  Carver carver(scratch);
  const Buffers buffers(s, threads, false, carver);
  const Slabs slabs(s, threads);
  const ConstMap<2> weights(kernel, s.out, s.taps() * s.in);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (Index i = 0; i < slabs.count(); ++i) {
    const Slab slab = slabs[i];
    const Index positions = slab.planes() * s.h * s.w;
    float* y = output + (slab.n * s.d + slab.d0) * s.h * s.w * s.out;
    const Patches patches(s, slab, s.in, input);
    evaluate(weights.contract(patches.expression(), Pair{Eigen::IndexPair<Index>(1, 0)}),
             buffers.device(), y);
    Eigen::Map<Eigen::MatrixXf>(y, s.out, positions).colwise() +=
        Eigen::Map<const Eigen::VectorXf>(bias, s.out);
  }
}

void tensor_backward_data(const ConvolutionShape& s, const float* grad_output, const float* kernel,
                          float* grad_input, std::byte* scratch, int threads) {
  Carver carver(scratch);
  const Buffers buffers(s, threads, false, carver);
  const Slabs slabs(s, threads);
  const Index k = s.extent;
  // (in, out, k, k, k), mirrored
  Map<5>(buffers.kernel, s.in, s.out, k, k, k) =
      ConstMap<5>(kernel, s.out, s.in, k, k, k)
          .reverse(Eigen::array<bool, 5>{false, false, true, true, true})
          .shuffle(Eigen::array<int, 5>{1, 0, 2, 3, 4});
  const ConstMap<2> weights(buffers.kernel, s.in, s.taps() * s.out);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (Index i = 0; i < slabs.count(); ++i) {
    const Slab slab = slabs[i];
    const Patches patches(s, slab, s.out, grad_output);
    evaluate(weights.contract(patches.expression(), Pair{Eigen::IndexPair<Index>(1, 0)}),
             buffers.device(), grad_input + (slab.n * s.d + slab.d0) * s.h * s.w * s.in);
  }
}

void tensor_backward_weights(const ConvolutionShape& s, const float* input,
                             const float* grad_output, float* grad_kernel, std::byte* scratch,
                             int threads) {
  Carver carver(scratch);
  const Buffers buffers(s, threads, true, carver);
  const Slabs slabs(s, threads);
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    float* sums = buffers.sums + thread * buffers.sums_stride;
    float* product = buffers.product + thread * buffers.sums_stride;
    std::fill_n(sums, buffers.kernel_floats, 0.0F);
#pragma omp for schedule(static)
    for (Index i = 0; i < slabs.count(); ++i) {
      const Slab slab = slabs[i];
      const ConstMap<2> dy(grad_output + (slab.n * s.d + slab.d0) * s.h * s.w * s.out, s.out,
                           slab.planes() * s.h * s.w);
      // (taps * in, out): patches come first, for their rows are contiguous in memory.
      const Patches patches(s, slab, s.in, input);
      evaluate(patches.expression().contract(dy, Pair{Eigen::IndexPair<Index>(1, 1)}),
               buffers.device(), product);
      Eigen::Map<Eigen::ArrayXf>(sums, buffers.kernel_floats) +=
          Eigen::Map<const Eigen::ArrayXf>(product, buffers.kernel_floats);
    }
#pragma omp for schedule(static)
    for (Index row = 0; row < s.taps() * s.in; ++row) {
      for (Index o = 0; o < s.out; ++o) {
        double sum = 0;
        for (int from = 0; from < threads; ++from) {
          sum += static_cast<double>(
              buffers.sums[from * buffers.sums_stride + o * s.taps() * s.in + row]);
        }
        grad_kernel[row * s.out + o] = static_cast<float>(sum);
      }
    }
  }
}

}  // namespace voxmark::eigen

#include "backends/eigen/pointwise.h"

#include <omp.h>

#include <Eigen/Core>
#include <algorithm>

#include "backends/eigen/scratch.h"

namespace voxmark::eigen {
namespace {

using Eigen::Index;
using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXf;

// Positions of one Eigen expression: short enough to share work evenly, and to keep fp32 sums over
// them exact to a few units in the last place.
constexpr std::int64_t kSlab = 1024;

std::int64_t slabs(std::int64_t positions) { return (positions + kSlab - 1) / kSlab; }
std::int64_t slab_size(std::int64_t positions, std::int64_t slab) {
  return std::min(kSlab, positions - slab * kSlab);
}

}  // namespace

void pointwise(std::int64_t positions, std::int64_t channels, const float* input,
               const float* kernel, const float* bias, float* output, int threads) {
  const Eigen::Map<const Vector> weights(kernel, channels);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < slabs(positions); ++i) {
    const Index rows = slab_size(positions, i);
    Eigen::Map<Vector> y(output + i * kSlab, rows);
    y.setConstant(*bias);
    y.noalias() += Eigen::Map<const Rows>(input + i * kSlab * channels, rows, channels) * weights;
  }
}

void pointwise_backward_data(std::int64_t positions, std::int64_t channels,
                             const float* grad_output, const float* kernel, float* grad_input,
                             int threads) {
  const Eigen::Map<const Eigen::RowVectorXf> weights(kernel, channels);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < slabs(positions); ++i) {
    const Index rows = slab_size(positions, i);
    Eigen::Map<Rows>(grad_input + i * kSlab * channels, rows, channels).noalias() =
        Eigen::Map<const Vector>(grad_output + i * kSlab, rows) * weights;
  }
}

std::int64_t pointwise_weights_scratch_bytes(std::int64_t channels, int threads) {
  return Carver::padded(channels) * threads * static_cast<std::int64_t>(sizeof(float));
}

void pointwise_backward_weights(std::int64_t positions, std::int64_t channels, const float* input,
                                const float* grad_output, float* grad_kernel, std::byte* scratch,
                                int threads) {
  Carver carver(scratch);
  const std::int64_t stride = Carver::padded(channels);
  float* sums = carver.floats(stride * threads);
#pragma omp parallel num_threads(threads)
  {
    Eigen::Map<Vector> sum(sums + omp_get_thread_num() * stride, channels);
    sum.setZero();
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < slabs(positions); ++i) {
      const Index rows = slab_size(positions, i);
      sum.noalias() +=
          Eigen::Map<const Rows>(input + i * kSlab * channels, rows, channels).transpose() *
          Eigen::Map<const Vector>(grad_output + i * kSlab, rows);
    }
  }
  for (std::int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (int thread = 0; thread < threads; ++thread) {
      sum += static_cast<double>(sums[thread * stride + c]);
    }
    grad_kernel[c] = static_cast<float>(sum);
  }
}

}  // namespace voxmark::eigen

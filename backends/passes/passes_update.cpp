// Adam and moving statistics.

#include <omp.h>

#include <cmath>

#include "backends/passes/passes.h"

namespace voxmark::passes {
namespace {

// Below this many elements waking the threads costs more than the work.
constexpr std::int64_t kLeastParallelElements = 16384;

}  // namespace

void adam(std::int64_t count, const AdamSettings& settings, double step_size, const float* gradient,
          float* parameter, float* m, float* v, int threads) {
  const float step = static_cast<float>(step_size);
  const float one_minus_beta1 = static_cast<float>(1.0 - settings.beta1);
  const float one_minus_beta2 = static_cast<float>(1.0 - settings.beta2);
  const float epsilon = static_cast<float>(settings.epsilon);
  const auto update = [=](std::int64_t first, std::int64_t last) {
#pragma omp simd
    for (std::int64_t i = first; i < last; ++i) {
      const float g = gradient[i];
      const float new_m = m[i] + (g - m[i]) * one_minus_beta1;
      const float new_v = v[i] + (g * g - v[i]) * one_minus_beta2;
      m[i] = new_m;
      v[i] = new_v;
      parameter[i] -= new_m * step / (std::sqrt(new_v) + epsilon);
    }
  };
  if (count <
      kLeastParallelElements) {  // no team of one: libgomp allocates for each change of size
    return update(0, count);
  }
#pragma omp parallel num_threads(threads)
  {
    const std::int64_t thread = omp_get_thread_num(), team = omp_get_num_threads();
    update(count * thread / team, count * (thread + 1) / team);
  }
}

void update_moving_statistics(std::int64_t channels, const double* statistics, double momentum,
                              float* moving_mean, float* moving_variance) {
  for (std::int64_t c = 0; c < channels; ++c) {
    const double mean = statistics[channels + c];
    // The biased variance, as Keras 3 takes it.
    const double variance = statistics[2 * channels + c] / statistics[c];
    moving_mean[c] = static_cast<float>(static_cast<double>(moving_mean[c]) * momentum +
                                        mean * (1.0 - momentum));
    moving_variance[c] = static_cast<float>(static_cast<double>(moving_variance[c]) * momentum +
                                            variance * (1.0 - momentum));
  }
}

}  // namespace voxmark::passes

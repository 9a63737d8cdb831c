// Adam and moving statistics against naive in double.

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "backends/passes/pass_testing.h"
#include "backends/passes/passes.h"

namespace voxmark::passes {
namespace {

TEST(Adam, IsThatOfDoubleOverSeveralSteps) {
  for (const std::int64_t count : {1, 37, 40000}) {
    Reference reference;
    const TensorId iteration = reference.tensor({1});
    const TensorId parameter = reference.tensor({count}, random_values(count, 1));
    const TensorId gradient = reference.tensor({count}, random_values(count, 2));
    const TensorId m = reference.tensor({count});
    const TensorId v = reference.tensor({count});
    std::vector<float> found = to_floats(reference[parameter]);
    const std::vector<float> floats = to_floats(reference[gradient]);
    std::vector<float> found_m(found.size()), found_v(found.size());
    for (int t = 1; t <= 3; ++t) {
      reference.run(AdvanceIteration{iteration});
      reference.run(Adam{parameter, gradient, m, v, iteration});
      adam(count, AdamSettings{}, adam_step_size(AdamSettings{}, t), floats.data(), found.data(),
           found_m.data(), found_v.data(), kThreads);
    }
    expect_near(found, reference[parameter], 1.0);
    expect_near(found_m, reference[m], 1.0);
    expect_near(found_v, reference[v], 1e-2);  // v grows by (1 - beta2) g^2
  }
}

TEST(UpdateMovingStatistics, TakesTheBiasedVariance) {
  constexpr std::int64_t kChannels = 5;
  Reference reference;
  Values statistics = random_values(3 * kChannels, 1);
  for (std::size_t c = 0; c < kChannels; ++c) {
    statistics[c] = 10.0;
    statistics[2 * kChannels + c] = 1.0 + statistics[2 * kChannels + c];
  }
  const TensorId batch = reference.reduction({3, kChannels}, statistics);
  const TensorId mean = reference.tensor({kChannels}, random_values(kChannels, 2));
  const TensorId variance = reference.tensor({kChannels}, Values(kChannels, 1.0));
  std::vector<float> found_mean = to_floats(reference[mean]);
  std::vector<float> found_variance = to_floats(reference[variance]);
  reference.run(UpdateMovingStatistics{batch, mean, variance});
  update_moving_statistics(kChannels, statistics.data(), BatchNormSettings{}.momentum,
                           found_mean.data(), found_variance.data());
  expect_near(found_mean, reference[mean], 1.0);
  expect_near(found_variance, reference[variance], 1.0);
}

}  // namespace
}  // namespace voxmark::passes

// Batch normalisation and ReLU against naive in double, in every layout.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "backends/passes/pass_testing.h"
#include "backends/passes/passes.h"

namespace voxmark::passes {
namespace {

class NormPass : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Layouts, NormPass, testing::ValuesIn(layouts()));

// A batch norm on random data with its reference: statistics, forward and backward.
struct Norm {
  explicit Norm(const Case& c) : shape(c.shape()) {
    const std::int64_t count = shape.elements(), channels = c.channels;
    const Shape ndhwc = c.ndhwc(), vector = {channels};
    Values values = random_values(count, 1);
    for (std::size_t i = 0; i < values.size(); ++i) {  // means apart from 0
      values[i] =
          static_cast<double>(static_cast<float>(values[i] + 0.1 * static_cast<double>(i % 7)));
    }
    x = reference.tensor(ndhwc, values);
    grad_y = reference.tensor(ndhwc, random_values(count, 2));
    gamma = reference.tensor(vector, random_values(channels, 3));
    beta = reference.tensor(vector, random_values(channels, 4));
    statistics = reference.reduction({3, channels});
    y = reference.tensor(ndhwc);
    grad_gamma = reference.tensor(vector);
    grad_beta = reference.tensor(vector);
    grad_x = reference.tensor(ndhwc);
    reference.run(BatchNormStatistics{x, statistics});
    reference.run(NormalizeRelu{x, statistics, gamma, beta, y});
    reference.run(NormalizeReluReduce{x, statistics, gamma, beta, grad_y, grad_gamma, grad_beta});
    reference.run(
        NormalizeReluApply{x, statistics, gamma, beta, grad_y, grad_gamma, grad_beta, grad_x});
    coefficients.resize(static_cast<std::size_t>(kCoefficientRows * channels));
    forward_coefficients(channels, reference[statistics].data(), floats(gamma).data(),
                         floats(beta).data(), BatchNormSettings{}.epsilon, coefficients.data());
    backward_coefficients(channels, reference[statistics][0], floats(grad_gamma).data(),
                          floats(grad_beta).data(), coefficients.data());
  }
  std::vector<float> floats(TensorId id) const { return to_floats(reference[id]); }
  std::vector<float> laid_out(TensorId id) const { return to_layout(shape, reference[id]); }
  double inverse_deviation(std::size_t channel) const {
    const std::size_t channels = reference[gamma].size();
    const Values& s = reference[statistics];
    return 1.0 / std::sqrt(s[2 * channels + channel] / s[0] + BatchNormSettings{}.epsilon);
  }

  PanelShape shape;
  Reference reference;
  TensorId x, grad_y, gamma, beta, statistics, y, grad_gamma, grad_beta, grad_x;
  std::vector<float> coefficients;
};

TEST_P(NormPass, StatisticsAreThoseOfDouble) {
  const Norm norm(GetParam());
  Values found(static_cast<std::size_t>(3 * GetParam().channels));
  std::vector<std::byte> memory = scratch(reduction_scratch_bytes(norm.shape));
  batch_norm_statistics(in(norm.shape, norm.laid_out(norm.x).data()), found.data(), memory.data(),
                        kThreads);
  const Values& expected = norm.reference[norm.statistics];
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], 1e-12 * (1.0 + std::abs(expected[i]))) << i;
  }
}

TEST_P(NormPass, ChannelSumsAreThoseOfDouble) {
  const Norm norm(GetParam());
  const std::size_t channels = static_cast<std::size_t>(GetParam().channels);
  std::vector<float> found(channels);
  std::vector<std::byte> memory = scratch(reduction_scratch_bytes(norm.shape));
  channel_sums(in(norm.shape, norm.laid_out(norm.x).data()), found.data(), memory.data(), kThreads);
  const Values& s = norm.reference[norm.statistics];
  for (std::size_t c = 0; c < channels; ++c) {
    EXPECT_FLOAT_EQ(found[c], static_cast<float>(s[0] * s[channels + c])) << c;
  }
}

TEST_P(NormPass, NormalizeRelu) {
  const Norm norm(GetParam());
  std::vector<float> y = output(norm.shape);
  normalize_relu(in(norm.shape, norm.laid_out(norm.x).data()), norm.coefficients.data(),
                 out(norm.shape, y.data()), kThreads);
  expect_near(from_layout(norm.shape, y), norm.reference[norm.y], 5.0);  // |x - mean| / deviation
}

TEST_P(NormPass, NormalizeReluInPlace) {
  const Norm norm(GetParam());
  std::vector<float> y = norm.laid_out(norm.x);
  normalize_relu(in(norm.shape, y.data()), norm.coefficients.data(), out(norm.shape, y.data()),
                 kThreads);
  expect_near(from_layout(norm.shape, y), norm.reference[norm.y], 5.0);
}

// Masks of elements within rounding of 0 may differ from double's; with random data none is.
TEST_P(NormPass, NormalizeReluReduce) {
  const Norm norm(GetParam());
  const std::size_t channels = static_cast<std::size_t>(GetParam().channels);
  std::vector<float> grad_gamma(channels), grad_beta(channels);
  std::vector<std::byte> memory = scratch(reduction_scratch_bytes(norm.shape));
  normalize_relu_reduce(in(norm.shape, norm.laid_out(norm.x).data()),
                        in(norm.shape, norm.laid_out(norm.grad_y).data()), norm.coefficients.data(),
                        grad_gamma.data(), grad_beta.data(), memory.data(), kThreads);
  const double magnitude = static_cast<double>(norm.shape.n * norm.shape.voxels());
  expect_near(grad_beta, norm.reference[norm.grad_beta], magnitude);
  Values scale(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    scale[c] = magnitude * norm.inverse_deviation(c);
  }
  expect_near(grad_gamma, norm.reference[norm.grad_gamma], scale);
}

TEST_P(NormPass, NormalizeReluApply) {
  const Norm norm(GetParam());
  const std::vector<float> x = norm.laid_out(norm.x);
  const std::vector<float> grad_y = norm.laid_out(norm.grad_y);
  std::vector<float> grad_x = output(norm.shape);
  normalize_relu_apply(in(norm.shape, x.data()), in(norm.shape, grad_y.data()),
                       norm.coefficients.data(), out(norm.shape, grad_x.data()), kThreads);
  Values scale(grad_x.size());
  const std::size_t channels = static_cast<std::size_t>(GetParam().channels);
  for (std::size_t i = 0; i < scale.size(); ++i) {
    scale[i] = 5.0 * norm.inverse_deviation(i % channels);
  }
  expect_near(from_layout(norm.shape, grad_x), norm.reference[norm.grad_x], scale);

  std::vector<float> in_place = grad_y;
  normalize_relu_apply(in(norm.shape, x.data()), in(norm.shape, in_place.data()),
                       norm.coefficients.data(), out(norm.shape, in_place.data()), kThreads);
  EXPECT_EQ(in_place, grad_x);
}

TEST_P(NormPass, SumsHaveTheSameBitsForEveryNumberOfThreads) {
  const Norm norm(GetParam());
  const std::vector<float> x = norm.laid_out(norm.x);
  const std::vector<float> grad_y = norm.laid_out(norm.grad_y);
  const std::size_t channels = static_cast<std::size_t>(GetParam().channels);
  const auto results = [&](int threads) {
    std::vector<std::byte> memory = scratch(reduction_scratch_bytes(norm.shape));
    Values statistics(3 * channels);
    std::vector<float> grad_gamma(channels), grad_beta(channels);
    batch_norm_statistics(in(norm.shape, x.data()), statistics.data(), memory.data(), threads);
    normalize_relu_reduce(in(norm.shape, x.data()), in(norm.shape, grad_y.data()),
                          norm.coefficients.data(), grad_gamma.data(), grad_beta.data(),
                          memory.data(), threads);
    statistics.insert(statistics.end(), grad_gamma.begin(), grad_gamma.end());
    statistics.insert(statistics.end(), grad_beta.begin(), grad_beta.end());
    return statistics;
  };
  const Values one = results(1);
  EXPECT_EQ(results(2), one);
  EXPECT_EQ(results(3), one);
}

TEST_P(NormPass, InferenceTakesTheMovingStatistics) {
  const Case& c = GetParam();
  const PanelShape shape = c.shape();
  Reference reference;
  Values variances = random_values(c.channels, 5);
  for (double& v : variances) {
    v = static_cast<double>(static_cast<float>(v * v + 0.1));
  }
  const TensorId x = reference.tensor(c.ndhwc(), random_values(shape.elements(), 1));
  const TensorId mean = reference.tensor({c.channels}, random_values(c.channels, 2));
  const TensorId variance = reference.tensor({c.channels}, variances);
  const TensorId gamma = reference.tensor({c.channels}, random_values(c.channels, 3));
  const TensorId beta = reference.tensor({c.channels}, random_values(c.channels, 4));
  const TensorId y = reference.tensor(c.ndhwc());
  reference.run(InferenceNormalizeRelu{x, mean, variance, gamma, beta, y});
  std::vector<float> coefficients(static_cast<std::size_t>(kCoefficientRows * c.channels));
  const auto floats = [&](TensorId id) { return to_floats(reference[id]); };
  inference_coefficients(c.channels, floats(mean).data(), floats(variance).data(),
                         floats(gamma).data(), floats(beta).data(), BatchNormSettings{}.epsilon,
                         coefficients.data());
  std::vector<float> found = output(shape);
  normalize_relu(in(shape, to_layout(shape, reference[x]).data()), coefficients.data(),
                 out(shape, found.data()), kThreads);
  expect_near(from_layout(shape, found), reference[y], 8.0);  // 2 / 0.1^0.5 + 1
}

// A mask that differed between forward and backward would differ here, where every y is within
// rounding of 0.
TEST(NormalizeRelu, BackwardTakesTheDecisionOfForward) {
  for (const std::int64_t width : {3, 8, 16, 32, 48}) {
    const PanelShape shape = channels_last(1, 7, 11, 13, width);
    const std::size_t channels = static_cast<std::size_t>(width);
    std::vector<float> coefficients(static_cast<std::size_t>(kCoefficientRows) * channels);
    std::vector<float> x(static_cast<std::size_t>(shape.elements()));
    const Values noise = random_values(shape.elements(), 6), scales = random_values(width, 7);
    for (std::size_t c = 0; c < channels; ++c) {
      coefficients[c] = static_cast<float>(scales[c]);  // rows scale and shift; the others stay 0
      coefficients[channels + c] = static_cast<float>(-scales[c] * 1.7);
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = static_cast<float>(1.7 * (1.0 + 1e-7 * noise[i]));
    }
    const std::vector<float> ones(x.size(), 1.0F);
    std::vector<float> y(x.size()), grad_x(x.size());
    normalize_relu(in(shape, x.data()), coefficients.data(), out(shape, y.data()), kThreads);
    normalize_relu_apply(in(shape, x.data()), in(shape, ones.data()), coefficients.data(),
                         out(shape, grad_x.data()), kThreads);
    std::vector<float> unused(channels), grad_beta(channels), positive(channels);
    std::vector<std::byte> memory = scratch(reduction_scratch_bytes(shape));
    normalize_relu_reduce(in(shape, x.data()), in(shape, ones.data()), coefficients.data(),
                          unused.data(), grad_beta.data(), memory.data(), kThreads);
    std::size_t masked = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(y[i] > 0.0F, grad_x[i] != 0.0F) << "width " << width << ", element " << i;
      positive[i % channels] += y[i] > 0.0F ? 1.0F : 0.0F;
      masked += y[i] > 0.0F ? 0U : 1U;
    }
    EXPECT_EQ(grad_beta, positive);
    EXPECT_GT(masked, x.size() / 10);  // both decisions occur
    EXPECT_LT(masked, x.size() - x.size() / 10);
  }
}

// The trap of single-pass variance: means far larger than deviations, at the size of a real image.
// The reference is two passes in long double over the same floats.
TEST(BatchNormStatistics, KeepAllDigitsAtTwoMillionVoxelsWithLargeMeans) {
  for (const std::int64_t channels : {4, 8}) {
    const PanelShape shape = channels_last(1, 128, 128, 128, channels);
    const std::size_t count = static_cast<std::size_t>(shape.elements());
    const std::size_t width = static_cast<std::size_t>(channels);
    std::vector<float> x(count);
    for (std::size_t i = 0; i < count; ++i) {
      const float mean = 1000.0F * static_cast<float>(i % width);
      const float noise = static_cast<float>((i * 2654435761U) % 4096U) / 4096.0F;
      x[i] = mean + noise;
    }
    x[0] = 1e4F;  // the pivot of the first piece lies far from the mean
    Values found(3 * width);
    std::vector<std::byte> memory = scratch(reduction_scratch_bytes(shape));
    batch_norm_statistics(in(shape, x.data()), found.data(), memory.data(), kThreads);
    for (std::size_t c = 0; c < width; ++c) {
      long double sum = 0, m2 = 0;
      for (std::size_t i = c; i < count; i += width) {
        sum += static_cast<long double>(x[i]);
      }
      const long double mean = sum / static_cast<long double>(shape.voxels());
      for (std::size_t i = c; i < count; i += width) {
        m2 += (static_cast<long double>(x[i]) - mean) * (static_cast<long double>(x[i]) - mean);
      }
      EXPECT_EQ(found[c], static_cast<double>(shape.voxels()));
      EXPECT_NEAR(found[width + c] / static_cast<double>(mean), 1.0, 1e-12) << c;
      EXPECT_NEAR(found[2 * width + c] / static_cast<double>(m2), 1.0, 1e-10) << c;
    }
  }
}

TEST_P(NormPass, WriteIntoSlicesAsIntoTensors) {
  const Norm norm(GetParam());
  const Case& c = GetParam();
  const Case wide{c.n, c.d, c.h, c.w, 2 * c.channels, c.block};
  const std::vector<float> x = norm.laid_out(norm.x);
  std::vector<float> whole = output(norm.shape), joined = output(wide.shape());
  std::vector<float> copied = output(norm.shape);
  normalize_relu(in(norm.shape, x.data()), norm.coefficients.data(), out(norm.shape, whole.data()),
                 kThreads);
  normalize_relu(in(norm.shape, x.data()), norm.coefficients.data(),
                 out_slice(wide.shape(), joined.data(), c.channels, c.channels), kThreads);
  copy(in_slice<float>(wide.shape(), joined.data(), c.channels, c.channels),
       out(norm.shape, copied.data()), kThreads);
  EXPECT_EQ(copied, whole);
  copy(in_slice<float>(wide.shape(), joined.data(), 0, c.channels), out(norm.shape, copied.data()),
       kThreads);
  EXPECT_EQ(copied, output(norm.shape)) << "wrote outside the slice";
}

}  // namespace
}  // namespace voxmark::passes

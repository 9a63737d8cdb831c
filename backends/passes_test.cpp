// Every pass against naive in double, in every layout. Inputs are floats, so the reference sees the
// same numbers; what is left is the rounding of float arithmetic: a few units (6e-8) of the largest
// term of each result, stated as `kRounding` times the sum of the terms' magnitudes.

#include "backends/passes.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "backends/arena.h"
#include "backends/interpreter.h"
#include "backends/lanes_exp.h"
#include "backends/naive/kernels.h"
#include "backends/pass_map.h"
#include "workloads/philox.h"

namespace voxmark::passes {
namespace {

constexpr double kRounding = 4 * 6e-8;  // up to four roundings on the way to a result
constexpr int kThreads = 2;

using Values = std::vector<double>;

// Floats in [-1, 1) as doubles.
Values random_values(std::int64_t count, std::uint64_t stream) {
  Values values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<double>(2.0F * uniform(1, stream, i) - 1.0F);
  }
  return values;
}

Values random_bits(std::int64_t count, std::uint64_t stream) {
  Values values = random_values(count, stream);
  for (double& x : values) {
    x = x > 0.3 ? 1.0 : 0.0;
  }
  return values;
}

std::vector<float> to_floats(const Values& values) { return {values.begin(), values.end()}; }

// Runs single ops of NaiveKernels<double> on tensors given as values.
class Reference {
 public:
  TensorId tensor(Shape shape, Values values = {}) {
    return add(std::move(shape), std::move(values), TensorRole::parameter);
  }
  TensorId reduction(Shape shape, Values values = {}) {
    return add(std::move(shape), std::move(values), TensorRole::reduction);
  }
  const Values& operator[](TensorId id) const { return values_[static_cast<std::size_t>(id)]; }

  template <class AnyOp>
  void run(const AnyOp& op) {
    const TensorLayout layout = lay_out_tensors(program_, sizeof(double), 0, {});
    const Arena arena(layout.arena_bytes, 1);
    const Tensors<double> tensors(program_, layout, arena);
    for_each_tensor(tensors, [](double* data, Values& values) {
      std::copy(values.begin(), values.end(), data);
    });
    NaiveKernels<double>(program_, CompileOptions{Precision::fp64, 1, {}}).execute(op, tensors);
    for_each_tensor(tensors, [](const double* data, Values& values) {
      std::copy_n(data, values.size(), values.begin());
    });
  }

 private:
  TensorId add(Shape shape, Values values, TensorRole role) {
    values.resize(static_cast<std::size_t>(elements(shape)));
    program_.tensors.push_back({"", std::move(shape), role});
    values_.push_back(std::move(values));
    return static_cast<TensorId>(values_.size()) - 1;
  }
  template <class Visit>
  void for_each_tensor(const Tensors<double>& tensors, Visit visit) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const TensorId id = static_cast<TensorId>(i);
      const bool is_reduction = program_.tensor(id).role == TensorRole::reduction;
      visit(is_reduction ? tensors.reduction(id) : tensors.data(id), values_[i]);
    }
  }
  Program program_;
  std::vector<Values> values_;
};

void expect_near(const std::vector<float>& found, const Values& expected, const Values& scale,
                 double tolerance = kRounding) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_LE(std::abs(static_cast<double>(found[i]) - expected[i]), tolerance * scale[i])
        << "element " << i << ": found " << found[i] << ", expected " << expected[i];
  }
}

void expect_near(const std::vector<float>& found, const Values& expected, double scale) {
  expect_near(found, expected, Values(expected.size(), scale));
}

void expect_exact(const std::vector<float>& found, const Values& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(static_cast<double>(found[i]), expected[i]) << "element " << i;
  }
}

// ---- Layouts ----

struct Case {
  std::int64_t n, d, h, w, channels;
  std::int64_t block;  // 0: channels last

  PanelShape shape() const { return shape_of(d, h, w); }
  PanelShape shape_of(std::int64_t dd, std::int64_t hh, std::int64_t ww) const {
    return block == 0 ? channels_last(n, dd, hh, ww, channels)
                      : blocked(n, dd, hh, ww, channels, block);
  }
  Shape ndhwc() const { return {n, d, h, w, channels}; }
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.n << " x " << c.d << " x " << c.h << " x " << c.w << " x " << c.channels << ", block "
       << c.block;
}

// Where element i of (N, D, H, W, C) lies in a tensor of this shape.
std::size_t position(const PanelShape& s, std::int64_t i) {
  const std::int64_t c = i % s.channels(), voxel = i / s.channels() % s.voxels();
  const std::int64_t sample = i / s.channels() / s.voxels();
  return static_cast<std::size_t>(
      ((sample * s.panels + c / s.width) * s.voxels() + voxel) * s.width + c % s.width);
}

std::vector<float> to_layout(const PanelShape& shape, const Values& ndhwc) {
  std::vector<float> data(ndhwc.size());
  for (std::size_t i = 0; i < ndhwc.size(); ++i) {
    data[position(shape, static_cast<std::int64_t>(i))] = static_cast<float>(ndhwc[i]);
  }
  return data;
}

std::vector<float> from_layout(const PanelShape& shape, const std::vector<float>& data) {
  std::vector<float> ndhwc(data.size());
  for (std::size_t i = 0; i < ndhwc.size(); ++i) {
    ndhwc[i] = data[position(shape, static_cast<std::int64_t>(i))];
  }
  return ndhwc;
}

std::vector<float> output(const PanelShape& shape) {
  return std::vector<float>(static_cast<std::size_t>(shape.elements()), -77.0F);
}

std::vector<std::byte> scratch(std::int64_t bytes) {
  return std::vector<std::byte>(static_cast<std::size_t>(bytes), std::byte{0xFF});
}

class Passes : public testing::TestWithParam<Case> {};

// Odd dims, widths on both sides of every vector width, several panels, several pieces per panel.
INSTANTIATE_TEST_SUITE_P(Layouts, Passes,
                         testing::Values(Case{2, 3, 5, 7, 16, 0}, Case{1, 3, 5, 7, 1, 0},
                                         Case{2, 3, 2, 5, 3, 0}, Case{2, 4, 3, 6, 4, 0},
                                         Case{1, 5, 3, 7, 8, 0}, Case{1, 3, 3, 3, 24, 0},
                                         Case{2, 3, 5, 7, 32, 0}, Case{1, 2, 3, 2, 61, 0},
                                         Case{1, 3, 2, 3, 256, 0}, Case{2, 13, 15, 17, 16, 0},
                                         Case{2, 3, 5, 7, 16, 8}, Case{2, 3, 5, 7, 32, 16},
                                         Case{1, 13, 15, 17, 48, 16}));

// ---- Batch normalisation and ReLU ----

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

TEST_P(Passes, StatisticsAreThoseOfDouble) {
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

TEST_P(Passes, ChannelSumsAreThoseOfDouble) {
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

TEST_P(Passes, NormalizeRelu) {
  const Norm norm(GetParam());
  std::vector<float> y = output(norm.shape);
  normalize_relu(in(norm.shape, norm.laid_out(norm.x).data()), norm.coefficients.data(),
                 out(norm.shape, y.data()), kThreads);
  expect_near(from_layout(norm.shape, y), norm.reference[norm.y], 5.0);  // |x - mean| / deviation
}

TEST_P(Passes, NormalizeReluInPlace) {
  const Norm norm(GetParam());
  std::vector<float> y = norm.laid_out(norm.x);
  normalize_relu(in(norm.shape, y.data()), norm.coefficients.data(), out(norm.shape, y.data()),
                 kThreads);
  expect_near(from_layout(norm.shape, y), norm.reference[norm.y], 5.0);
}

// Masks of elements within rounding of 0 may differ from double's; with random data none is.
TEST_P(Passes, NormalizeReluReduce) {
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

TEST_P(Passes, NormalizeReluApply) {
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

TEST_P(Passes, SumsHaveTheSameBitsForEveryNumberOfThreads) {
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

TEST_P(Passes, InferenceTakesTheMovingStatistics) {
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
      const long double mean = sum / static_cast<long double>(count / width);
      for (std::size_t i = c; i < count; i += width) {
        m2 += (static_cast<long double>(x[i]) - mean) * (static_cast<long double>(x[i]) - mean);
      }
      EXPECT_EQ(found[c], static_cast<double>(count / width));
      EXPECT_NEAR(found[width + c] / static_cast<double>(mean), 1.0, 1e-12) << c;
      EXPECT_NEAR(found[2 * width + c] / static_cast<double>(m2), 1.0, 1e-10) << c;
    }
  }
}

// ---- Pooling and joining ----

class Pool : public testing::TestWithParam<Case> {};

// Dims are those of the pooled tensor.
INSTANTIATE_TEST_SUITE_P(Layouts, Pool,
                         testing::Values(Case{2, 3, 5, 7, 16, 0}, Case{1, 1, 1, 1, 1, 0},
                                         Case{2, 3, 2, 5, 3, 0}, Case{1, 5, 3, 7, 8, 0},
                                         Case{1, 3, 3, 3, 28, 0}, Case{1, 2, 3, 4, 64, 0},
                                         Case{2, 3, 5, 7, 16, 8}, Case{2, 3, 2, 1, 48, 16}));

TEST_P(Pool, ForwardAndBackwardAreExact) {
  const Case& c = GetParam();
  const PanelShape pooled = c.shape(), full = c.shape_of(2 * c.d, 2 * c.h, 2 * c.w);
  const Shape full_shape = {c.n, 2 * c.d, 2 * c.h, 2 * c.w, c.channels};
  Reference reference;
  Values values = random_values(full.elements(), 1);
  for (double& v : values) {
    v = std::round(4.0 * v);  // many ties: the first maximum is to win
  }
  const TensorId x = reference.tensor(full_shape, values);
  const TensorId y = reference.tensor(c.ndhwc());
  const TensorId grad_y = reference.tensor(c.ndhwc(), random_values(pooled.elements(), 2));
  const TensorId grad_x = reference.tensor(full_shape);
  reference.run(MaxPool{x, y});
  reference.run(MaxPoolBackward{x, grad_y, grad_x});

  const std::vector<float> from = to_layout(full, reference[x]);
  const std::vector<float> gradient = to_layout(pooled, reference[grad_y]);
  std::vector<float> found = output(pooled), found_gradient = output(full);
  max_pool(in(full, from.data()), out(pooled, found.data()), kThreads);
  expect_exact(from_layout(pooled, found), reference[y]);
  max_pool_backward(in(full, from.data()), in(pooled, gradient.data()),
                    out(full, found_gradient.data()), kThreads);
  expect_exact(from_layout(full, found_gradient), reference[grad_x]);

  // The same added to another gradient, in place.
  const std::vector<float> other = to_layout(full, random_values(full.elements(), 3));
  std::vector<float> sum = other;
  max_pool_backward_add(in(full, from.data()), in(pooled, gradient.data()), in(full, sum.data()),
                        out(full, sum.data()), kThreads);
  for (std::size_t i = 0; i < sum.size(); ++i) {
    ASSERT_EQ(sum[i], found_gradient[i] + other[i]) << i;
  }
}

TEST_P(Passes, SlicesJoinAndSplitATensor) {
  const Case& c = GetParam();
  const Case wide{c.n, c.d, c.h, c.w, 3 * c.channels, c.block};
  const Case second{c.n, c.d, c.h, c.w, 2 * c.channels, c.block};
  Reference reference;
  const TensorId a = reference.tensor(c.ndhwc(), random_values(c.shape().elements(), 1));
  const TensorId b = reference.tensor(second.ndhwc(), random_values(second.shape().elements(), 2));
  const TensorId joined = reference.tensor(wide.ndhwc());
  reference.run(Concat{a, b, joined});

  const PanelShape shape = wide.shape();
  const std::vector<float> from_a = to_layout(c.shape(), reference[a]);
  const std::vector<float> from_b = to_layout(second.shape(), reference[b]);
  std::vector<float> found = output(shape);
  copy(in(c.shape(), from_a.data()), out_slice(shape, found.data(), 0, c.channels), kThreads);
  copy(in(second.shape(), from_b.data()),
       out_slice(shape, found.data(), c.channels, 2 * c.channels), kThreads);
  expect_exact(from_layout(shape, found), reference[joined]);

  std::vector<float> split = output(second.shape());
  copy(in_slice<float>(shape, found.data(), c.channels, 2 * c.channels),
       out(second.shape(), split.data()), kThreads);
  EXPECT_EQ(split, from_b);
}

TEST_P(Passes, WriteIntoSlicesAsIntoTensors) {
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

TEST_P(Passes, Add) {
  const Case& c = GetParam();
  const PanelShape shape = c.shape();
  const std::vector<float> a = to_layout(shape, random_values(shape.elements(), 1));
  std::vector<float> b = to_layout(shape, random_values(shape.elements(), 2)), sum = output(shape);
  add(in(shape, a.data()), in(shape, b.data()), out(shape, sum.data()), kThreads);
  for (std::size_t i = 0; i < sum.size(); ++i) {
    ASSERT_EQ(sum[i], a[i] + b[i]) << i;
  }
  add(in(shape, a.data()), in(shape, b.data()), out(shape, b.data()), kThreads);
  EXPECT_EQ(b, sum);
}

// Streaming is chosen for tensors larger than the caches; forced here on small ones.
TEST(Streaming, WritesWhatStoringWrites) {
  for (const std::int64_t channels : {16, 32, 48, 64, 160}) {
    const PanelShape shape = channels_last(2, 3, 5, 7, channels), wide{2, 1, 3, 5, 7, 2 * channels};
    const std::vector<float> a = to_floats(random_values(shape.elements(), 1));
    const std::vector<float> b = to_floats(random_values(shape.elements(), 2));
    const std::vector<float> factors = to_floats(random_values(channels, 3));
    const auto multiply_add = [](const auto& k, auto x, auto z) { return k[0] * x + z; };
    const auto sum = [](const auto&, auto x, auto z) { return x + z; };
    const std::array<View<const float>, 2> inputs = {in(shape, a.data()), in(shape, b.data())};
    const auto results = [&]<bool kStreams>() {
      const Arena arena(5 * shape.elements() * static_cast<std::int64_t>(sizeof(float)), 1);
      float* y = reinterpret_cast<float*>(arena.at(0));  // page-aligned
      const auto write = [&](const View<float>& to) {
        detail::map_elements<kStreams>(std::array<const float*, 1>{factors.data()}, multiply_add,
                                       kThreads, to, inputs);
      };
      write(out(shape, y));
      write(out_slice(wide, y + shape.elements(), channels, channels));
      detail::map_elements<kStreams>(std::array<const float*, 0>{}, sum, kThreads,
                                     out(shape, y + 3 * shape.elements()), inputs);
      return std::vector<float>(y, y + 4 * shape.elements());
    };
    const std::vector<float> stored = results.operator()<false>();
    EXPECT_EQ(results.operator()<true>(), stored);
    EXPECT_NEAR(stored[0], factors[0] * a[0] + b[0], 1e-6);
  }
}

TEST(Streaming, IsForLargeTensorsOfWholeAlignedLines) {
  const std::int64_t voxels =
      last_cache_bytes() / 64;  // of 16 channels: as many bytes as the cache
  float* const aligned = reinterpret_cast<float*>(std::uintptr_t{4096});  // never read
  EXPECT_TRUE(is_worth_streaming(out(channels_last(1, 1, 1, voxels + 1, 16), aligned)));
  EXPECT_FALSE(is_worth_streaming(out(channels_last(1, 1, 1, voxels, 16), aligned)));
  EXPECT_FALSE(is_worth_streaming(out(channels_last(1, 1, 1, voxels + 1, 16), aligned + 8)));
  EXPECT_FALSE(is_worth_streaming(out(channels_last(1, 1, 1, 4 * voxels, 8), aligned)));
  EXPECT_TRUE(
      is_worth_streaming(out_slice(channels_last(1, 1, 1, 2 * voxels, 48), aligned, 16, 16)));
}

// ---- Prediction and loss ----

struct LossCase {
  std::int64_t n, voxels, channels;
};
void PrintTo(const LossCase& c, std::ostream* out) {
  *out << c.n << " x " << c.voxels << " x " << c.channels;
}

class Loss : public testing::TestWithParam<LossCase> {
 protected:
  void SetUp() override {
    const LossCase& c = GetParam();
    shape_ = {c.n, c.voxels, c.channels};
    is_softmax_ = c.channels > 1;
    const Shape ndhwc = {c.n, 1, 1, c.voxels, c.channels};
    Values values = random_values(shape_.elements(), 1);
    for (double& v : values) {
      v *= 8;
    }
    logits_ = reference_.tensor(ndhwc, values);
    target_ = reference_.tensor(ndhwc, random_bits(shape_.elements(), 2));
    prediction_ = reference_.tensor(ndhwc);
    sums_ = reference_.reduction({c.n, c.channels, kDiceSumCount});
    loss_ = reference_.reduction({1});
    coefficients_ = reference_.reduction({2});
    grad_prediction_ = reference_.tensor(ndhwc);
    grad_logits_ = reference_.tensor(ndhwc);
    if (is_softmax_) {
      reference_.run(Softmax{logits_, prediction_});
    } else {
      reference_.run(Sigmoid{logits_, prediction_});
    }
    reference_.run(DiceSums{prediction_, target_, sums_});
    reference_.run(DiceLoss{sums_, loss_, coefficients_});
    reference_.run(DiceGradient{target_, coefficients_, grad_prediction_});
    if (is_softmax_) {
      reference_.run(SoftmaxBackward{prediction_, grad_prediction_, grad_logits_});
    } else {
      reference_.run(SigmoidBackward{prediction_, grad_prediction_, grad_logits_});
    }
  }
  std::vector<float> floats(TensorId id) const { return to_floats(reference_[id]); }
  std::vector<float> zeros() const {
    return std::vector<float>(static_cast<std::size_t>(shape_.elements()));
  }
  // Relative to each prediction: rounding of exp's argument (8 + 8) and of the sum and quotient.
  void expect_predictions(const std::vector<float>& found) const {
    expect_near(found, reference_[prediction_], reference_[prediction_], 20 * 6e-8);
  }
  // prediction * |coefficients|, whose difference cancels.
  void expect_logit_gradients(const std::vector<float>& found) const {
    const Values& k = reference_[coefficients_];
    const double largest = std::abs(k[0]) + std::abs(k[1]);
    expect_near(found, reference_[grad_logits_], 4 * largest);
  }

  PredictionShape shape_;
  bool is_softmax_ = false;
  Reference reference_;
  TensorId logits_, target_, prediction_, sums_, loss_, coefficients_, grad_prediction_,
      grad_logits_;
};

INSTANTIATE_TEST_SUITE_P(Shapes, Loss,
                         testing::Values(LossCase{1, 1, 1}, LossCase{2, 1000, 1},
                                         LossCase{2, 20011, 1}, LossCase{1, 37, 2},
                                         LossCase{2, 5003, 4}, LossCase{1, 300, 65}));

TEST_P(Loss, Predictions) {
  std::vector<float> found = zeros();
  predict(shape_, is_softmax_, floats(logits_).data(), found.data(), kThreads);
  expect_predictions(found);
}

TEST_P(Loss, DiceSumsAreThoseOfDouble) {
  // Of the rounded predictions, as the pass sees them; a tie is decided by the first channel.
  std::vector<float> rounded = floats(prediction_);
  if (is_softmax_) {
    rounded[0] = rounded[1] = 0.5F;
  } else {
    rounded[0] = 0.5F;  // not above one half
  }
  const Shape ndhwc = {shape_.n, 1, 1, shape_.voxels, shape_.channels};
  const TensorId p = reference_.tensor(ndhwc, Values(rounded.begin(), rounded.end()));
  reference_.run(DiceSums{p, target_, sums_});
  Values one(reference_[sums_].size()), three(one.size());
  std::vector<std::byte> memory = scratch(dice_scratch_bytes(shape_));
  dice_sums(shape_, rounded.data(), floats(target_).data(), one.data(), memory.data(), 1);
  dice_sums(shape_, rounded.data(), floats(target_).data(), three.data(), memory.data(), 3);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_NEAR(one[i], reference_[sums_][i], 1e-12 * (1.0 + reference_[sums_][i])) << i;
  }
  EXPECT_EQ(one, three);
}

TEST_P(Loss, PredictionFusedWithSumsIsTheSameInOnePass) {
  std::vector<float> apart = zeros(), fused = zeros();
  Values sums(reference_[sums_].size()), fused_sums(sums.size());
  std::vector<std::byte> memory = scratch(dice_scratch_bytes(shape_));
  const std::vector<float> logits = floats(logits_), target = floats(target_);
  predict(shape_, is_softmax_, logits.data(), apart.data(), kThreads);
  dice_sums(shape_, apart.data(), target.data(), sums.data(), memory.data(), kThreads);
  predict_dice_sums(shape_, is_softmax_, logits.data(), target.data(), fused.data(),
                    fused_sums.data(), memory.data(), kThreads);
  EXPECT_EQ(fused, apart);
  EXPECT_EQ(fused_sums, sums);
}

TEST_P(Loss, LossAndItsCoefficients) {
  double loss = 0, coefficients[2] = {};
  dice_loss(shape_.n * shape_.channels, reference_[sums_].data(), &loss, coefficients);
  EXPECT_DOUBLE_EQ(loss, reference_[loss_][0]);
  EXPECT_DOUBLE_EQ(coefficients[0], reference_[coefficients_][0]);
  EXPECT_DOUBLE_EQ(coefficients[1], reference_[coefficients_][1]);
}

TEST_P(Loss, Gradients) {
  const double* k = reference_[coefficients_].data();
  const std::vector<float> prediction = floats(prediction_), target = floats(target_);
  std::vector<float> found = zeros();
  dice_gradient(shape_.elements(), target.data(), k, found.data(), kThreads);
  expect_near(found, reference_[grad_prediction_], std::abs(k[0]) + std::abs(k[1]));
  predict_backward(shape_, is_softmax_, prediction.data(), found.data(), found.data(), kThreads);
  expect_logit_gradients(found);
  std::vector<float> fused = zeros();
  predict_dice_backward(shape_, is_softmax_, prediction.data(), target.data(), k, fused.data(),
                        kThreads);
  EXPECT_EQ(fused, found);
}

TEST(Predict, SigmoidSaturatesAndKeepsNaN) {
  const std::vector<float> logits = {-1e30F, -200.0F, 0.0F, 200.0F, 1e30F, std::nanf("")};
  std::vector<float> found(logits.size());
  predict({1, 6, 1}, false, logits.data(), found.data(), 1);
  EXPECT_LT(found[0], 1e-37F);
  EXPECT_LT(found[1], 1e-37F);
  EXPECT_EQ(found[2], 0.5F);
  EXPECT_EQ(found[3], 1.0F);
  EXPECT_EQ(found[4], 1.0F);
  EXPECT_TRUE(std::isnan(found[5]));
}

// Every 61st float of the range on which it is exact, scalar and vector alike.
TEST(ExpLanes, StaysWithinTwoUnitsInTheLastPlace) {
  double worst = 0;
  const auto check = [&](float from, float to) {
    std::uint32_t bits = 0, last = 0;
    std::memcpy(&bits, &from, sizeof bits);
    std::memcpy(&last, &to, sizeof last);
    for (; bits < last; bits += 61) {
      float x = 0;
      std::memcpy(&x, &bits, sizeof x);
      const double expected = std::exp(static_cast<double>(x));
      const float rounded = static_cast<float>(expected);
      const double unit =
          static_cast<double>(std::nextafter(rounded, INFINITY)) - static_cast<double>(rounded);
      const float found = exp_lanes<float>(x);
      worst = std::max(worst, std::abs(static_cast<double>(found) - expected) / unit);
      const NativeLanes lanes = exp_lanes<NativeLanes>(fill<NativeLanes>(x));
      ASSERT_EQ(lanes[kNativeLanes - 1], found) << x;
    }
  };
  check(1e-6F, 88.3F);
  check(-1e-6F, -87.3F);
  EXPECT_LE(worst, 2.0);
  EXPECT_GT(worst, 0.1);  // it did compute something
}

// ---- Update ----

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

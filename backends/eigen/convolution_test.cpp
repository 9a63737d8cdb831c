// Eigen's convolutions against plain sums in double, one kernel at a time.

#include "backends/eigen/convolution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "backends/eigen/pointwise.h"
#include "backends/eigen/tensor_convolution.h"
#include "backends/eigen/transposed_convolution.h"
#include "backends/plan/arena.h"

namespace voxmark::eigen {
namespace {

// A float sum of n terms of either sign errs by about sqrt(n) roundings (6e-8) of its terms' size;
// over the sum of the terms' absolute values that is below 1e-6 for every n used here.
constexpr double kTolerance = 1e-6;

std::vector<float> random_values(std::int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  std::vector<float> values(static_cast<std::size_t>(count));
  std::generate(values.begin(), values.end(), [&] { return uniform(generator); });
  return values;
}

// Sums of products in double, and the sums of their absolute values.
class Expected {
 public:
  explicit Expected(std::int64_t count)
      : sums_(static_cast<std::size_t>(count)), magnitudes_(static_cast<std::size_t>(count)) {}
  void add(std::int64_t i, double term) {
    sums_[static_cast<std::size_t>(i)] += term;
    magnitudes_[static_cast<std::size_t>(i)] += std::abs(term);
  }
  void expect(const std::string& what, const std::vector<float>& found) const {
    ASSERT_EQ(found.size(), sums_.size());
    std::size_t worst = 0;
    double largest = -1;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double error =
          std::abs(static_cast<double>(found[i]) - sums_[i]) / std::max(magnitudes_[i], 1e-30);
      if (!(error <= largest)) {
        largest = error;
        worst = i;
      }
    }
    EXPECT_LE(largest, kTolerance)
        << what << "[" << worst << "] = " << found[worst] << ", expected " << sums_[worst];
  }

 private:
  std::vector<double> sums_, magnitudes_;
};

// Scratch of exactly the planned size, full of NaN, before a canary.
class Scratch {
 public:
  explicit Scratch(std::int64_t bytes) : arena_(bytes + kCanaries, 1), bytes_(bytes) {
    std::fill_n(reinterpret_cast<float*>(arena_.at(0)),
                bytes / static_cast<std::int64_t>(sizeof(float)),
                std::numeric_limits<float>::quiet_NaN());
    std::fill_n(arena_.at(bytes), kCanaries, kCanary);
  }
  ~Scratch() {
    EXPECT_TRUE(std::all_of(arena_.at(bytes_), arena_.at(bytes_) + kCanaries,
                            [](std::byte b) { return b == kCanary; }))
        << "wrote behind " << bytes_ << " bytes of scratch";
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::byte* data() { return arena_.at(0); }

 private:
  static constexpr std::byte kCanary{0x5A};
  static constexpr std::int64_t kCanaries = 4096;
  Arena arena_;
  std::int64_t bytes_;
};

// ---- Convolutions ----

struct Case {
  ConvolutionShape shape;
  int threads;
};

std::string name_of(const testing::TestParamInfo<Case>& info) {
  const ConvolutionShape& s = info.param.shape;
  std::string name;
  for (const std::int64_t x : {s.n, s.d, s.h, s.w, s.in, s.out, s.extent}) {
    name += std::to_string(x) + "x";
  }
  return name + std::to_string(info.param.threads) + "threads";
}

// Visits every product of a convolution with the indices of its input, weight and output.
template <class Visit>
void for_each_product(const ConvolutionShape& s, Visit visit) {
  for (std::int64_t y = 0; y < s.positions(); ++y) {
    const std::int64_t n = y / (s.d * s.h * s.w), d = y / (s.h * s.w) % s.d, h = y / s.w % s.h,
                       w = y % s.w;
    for (std::int64_t tap = 0; tap < s.taps(); ++tap) {
      const std::int64_t xd = d + tap / (s.extent * s.extent) - s.pad();
      const std::int64_t xh = h + tap / s.extent % s.extent - s.pad();
      const std::int64_t xw = w + tap % s.extent - s.pad();
      if (xd < 0 || xd >= s.d || xh < 0 || xh >= s.h || xw < 0 || xw >= s.w) {
        continue;
      }
      const std::int64_t x = ((n * s.d + xd) * s.h + xh) * s.w + xw;
      for (std::int64_t i = 0; i < s.in; ++i) {
        for (std::int64_t o = 0; o < s.out; ++o) {
          visit(x * s.in + i, (tap * s.in + i) * s.out + o, y * s.out + o);
        }
      }
    }
  }
}

double product(float a, float b) { return static_cast<double>(a) * static_cast<double>(b); }

class ConvolutionTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    for_each_product(s, [&](std::int64_t xi, std::int64_t ki, std::int64_t yi) {
      const auto x_at = static_cast<std::size_t>(xi), k_at = static_cast<std::size_t>(ki),
                 y_at = static_cast<std::size_t>(yi);
      expected_y.add(yi, product(x[x_at], k[k_at]));
      expected_dx.add(xi, product(dy[y_at], k[k_at]));
      expected_dk.add(ki, product(x[x_at], dy[y_at]));
    });
    for (std::int64_t y_at = 0; y_at < s.positions() * s.out; ++y_at) {
      expected_y.add(y_at, static_cast<double>(bias[static_cast<std::size_t>(y_at % s.out)]));
    }
  }

  const ConvolutionShape s = GetParam().shape;
  const int threads = GetParam().threads;
  const std::vector<float> x = random_values(s.positions() * s.in, 1);
  const std::vector<float> k = random_values(s.taps() * s.in * s.out, 2);
  const std::vector<float> bias = random_values(s.out, 3);
  const std::vector<float> dy = random_values(s.positions() * s.out, 4);
  std::vector<float> y = random_values(s.positions() * s.out, 5);  // results overwrite
  std::vector<float> dx = random_values(s.positions() * s.in, 6);
  std::vector<float> dk = random_values(s.taps() * s.in * s.out, 7);
  Expected expected_y{s.positions() * s.out};
  Expected expected_dx{s.positions() * s.in};
  Expected expected_dk{s.taps() * s.in * s.out};
};

TEST_P(ConvolutionTest, BlockPanelsSumEveryProductOnce) {
  Scratch data(convolution_scratch_bytes(s, threads));
  convolve(s, x.data(), k.data(), bias.data(), y.data(), data.data(), threads);
  expected_y.expect("output", y);
  convolve_backward_data(s, dy.data(), k.data(), dx.data(), data.data(), threads);
  expected_dx.expect("grad_input", dx);
  Scratch weights(convolution_weights_scratch_bytes(s, threads));
  convolve_backward_weights(s, x.data(), dy.data(), dk.data(), weights.data(), threads);
  expected_dk.expect("grad_kernel", dk);
}

TEST_P(ConvolutionTest, VolumePatchesSumEveryProductOnce) {
  Scratch scratch(tensor_convolution_scratch_bytes(s, threads));
  tensor_convolve(s, x.data(), k.data(), bias.data(), y.data(), scratch.data(), threads);
  expected_y.expect("output", y);
  tensor_backward_data(s, dy.data(), k.data(), dx.data(), scratch.data(), threads);
  expected_dx.expect("grad_input", dx);
  tensor_backward_weights(s, x.data(), dy.data(), dk.data(), scratch.data(), threads);
  expected_dk.expect("grad_kernel", dk);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, ConvolutionTest,
    testing::Values(                         // n, d, h, w, in, out, extent; threads
        Case{{1, 5, 9, 20, 16, 16, 3}, 2},   // several tiles, the last ones cut short
        Case{{2, 9, 6, 12, 8, 32, 3}, 3},    // four registers of rows (AVX2)
        Case{{1, 3, 2, 8, 12, 64, 3}, 1},    // four registers of rows (AVX-512)
        Case{{1, 2, 5, 40, 96, 8, 3}, 2},    // rows cut in width
        Case{{1, 2, 2, 8, 320, 5, 3}, 2},    // more channels than one product is deep
        Case{{2, 3, 3, 3, 24, 40, 3}, 2},    // width no multiple of a panel
        Case{{1, 2, 3, 6, 400, 9, 3}, 4},    // the same, more channels than one product is deep
        Case{{1, 1, 1, 1, 130, 20, 3}, 2},   // a single voxel
        Case{{1, 1, 2, 4, 8, 8, 3}, 16},     // more threads than work
        Case{{1, 3, 4, 12, 1, 16, 3}, 2},    // one channel in
        Case{{1, 2, 3, 7, 4, 17, 3}, 2},     // few channels in, odd out
        Case{{1, 4, 4, 4, 3, 1, 3}, 2},      // one channel out
        Case{{2, 2, 3, 5, 130, 140, 3}, 2},  // kernel's gradient shared by blocks
        Case{{1, 3, 5, 7, 16, 4, 1}, 2},     // 1x1x1
        Case{{1, 6, 5, 8, 6, 12, 5}, 2},     // 5x5x5
        Case{{1, 2, 3, 6, 3, 5, 5}, 2}),     // 5x5x5, wider than the image
    name_of);

TEST(Pointwise, IsTheConvolutionWithOneOutput) {
  constexpr std::int64_t kPositions = 2500, kChannels = 11;  // slabs of 1024, the last cut short
  constexpr int kThreads = 2;
  const auto x = random_values(kPositions * kChannels, 1), k = random_values(kChannels, 2),
             dy = random_values(kPositions, 3);
  const float bias = 0.25F;
  std::vector<float> y(kPositions), dx(kPositions * kChannels), dk(kChannels);
  Expected expected_y(kPositions), expected_dx(kPositions * kChannels), expected_dk(kChannels);
  for (std::int64_t p = 0; p < kPositions; ++p) {
    expected_y.add(p, static_cast<double>(bias));
    for (std::int64_t c = 0; c < kChannels; ++c) {
      const auto position = static_cast<std::size_t>(p), channel = static_cast<std::size_t>(c),
                 at = static_cast<std::size_t>(p * kChannels + c);
      expected_y.add(p, product(x[at], k[channel]));
      expected_dx.add(p * kChannels + c, product(dy[position], k[channel]));
      expected_dk.add(c, product(x[at], dy[position]));
    }
  }
  pointwise(kPositions, kChannels, x.data(), k.data(), &bias, y.data(), kThreads);
  expected_y.expect("output", y);
  pointwise_backward_data(kPositions, kChannels, dy.data(), k.data(), dx.data(), kThreads);
  expected_dx.expect("grad_input", dx);
  Scratch scratch(pointwise_weights_scratch_bytes(kChannels, kThreads));
  pointwise_backward_weights(kPositions, kChannels, x.data(), dy.data(), dk.data(), scratch.data(),
                             kThreads);
  expected_dk.expect("grad_kernel", dk);
}

// ---- Transposed convolutions ----

class TransposedTest : public testing::TestWithParam<TransposedShape> {};

TEST_P(TransposedTest, SumsEveryProductOnce) {
  const TransposedShape s = GetParam();
  constexpr int kThreads = 2;
  const std::int64_t inputs = s.n * s.d * s.h * s.w * s.in, weights = 8 * s.in * s.out,
                     outputs = 8 * s.n * s.d * s.h * s.w * s.out;
  const auto x = random_values(inputs, 1), k = random_values(weights, 2),
             bias = random_values(s.out, 3), dy = random_values(outputs, 4);
  std::vector<float> y = random_values(outputs, 5), dx = random_values(inputs, 6),
                     dk = random_values(weights, 7);
  Expected expected_y(outputs), expected_dx(inputs), expected_dk(weights);
  for (std::int64_t v = 0; v < outputs / s.out; ++v) {
    const std::int64_t w = v % (2 * s.w), h = v / (2 * s.w) % (2 * s.h),
                       d = v / (4 * s.w * s.h) % (2 * s.d), n = v / (8 * s.w * s.h * s.d);
    const std::int64_t from = ((n * s.d + d / 2) * s.h + h / 2) * s.w + w / 2;
    const std::int64_t tap = (d % 2 * 2 + h % 2) * 2 + w % 2;
    for (std::int64_t o = 0; o < s.out; ++o) {
      const std::int64_t yi = v * s.out + o;
      expected_y.add(yi, static_cast<double>(bias[static_cast<std::size_t>(o)]));
      for (std::int64_t i = 0; i < s.in; ++i) {
        const std::int64_t xi = from * s.in + i, ki = (tap * s.out + o) * s.in + i;
        const auto x_at = static_cast<std::size_t>(xi), k_at = static_cast<std::size_t>(ki),
                   y_at = static_cast<std::size_t>(yi);
        expected_y.add(yi, product(x[x_at], k[k_at]));
        expected_dx.add(xi, product(dy[y_at], k[k_at]));
        expected_dk.add(ki, product(x[x_at], dy[y_at]));
      }
    }
  }
  Scratch scratch(transposed_scratch_bytes(s, kThreads));
  transposed_convolve(s, x.data(), k.data(), bias.data(), y.data(), scratch.data(), kThreads);
  expected_y.expect("output", y);
  transposed_backward_data(s, dy.data(), k.data(), dx.data(), scratch.data(), kThreads);
  expected_dx.expect("grad_input", dx);
  transposed_backward_weights(s, x.data(), dy.data(), dk.data(), scratch.data(), kThreads);
  expected_dk.expect("grad_kernel", dk);
}

INSTANTIATE_TEST_SUITE_P(Shapes, TransposedTest,
                         testing::Values(TransposedShape{1, 3, 5, 8, 32, 16},
                                         TransposedShape{2, 2, 3, 3, 20, 7},
                                         TransposedShape{1, 1, 1, 1, 8, 4},
                                         TransposedShape{1, 2, 2, 4, 400, 150}));

}  // namespace
}  // namespace voxmark::eigen

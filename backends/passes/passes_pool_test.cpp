// Pooling, joining and streaming against naive in double, in every layout.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "backends/passes/pass_map.h"
#include "backends/passes/pass_testing.h"
#include "backends/passes/passes.h"
#include "backends/passes/streaming.h"
#include "backends/plan/arena.h"

namespace voxmark::passes {
namespace {

class JoinPass : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Layouts, JoinPass, testing::ValuesIn(layouts()));

class PoolPass : public testing::TestWithParam<Case> {};

// Dims are those of the pooled tensor.
INSTANTIATE_TEST_SUITE_P(Layouts, PoolPass,
                         testing::Values(Case{2, 3, 5, 7, 16, 0}, Case{1, 1, 1, 1, 1, 0},
                                         Case{2, 3, 2, 5, 3, 0}, Case{1, 5, 3, 7, 8, 0},
                                         Case{1, 3, 3, 3, 28, 0}, Case{1, 2, 3, 4, 64, 0},
                                         Case{2, 3, 5, 7, 16, 8}, Case{2, 3, 2, 1, 48, 16}));

TEST_P(PoolPass, ForwardAndBackwardAreExact) {
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

TEST_P(JoinPass, SlicesJoinAndSplitATensor) {
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

TEST_P(JoinPass, Add) {
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
    const auto results = [&]<bool Streams>() {
      const Arena arena(5 * shape.elements() * static_cast<std::int64_t>(sizeof(float)), 1);
      float* y = reinterpret_cast<float*>(arena.at(0));  // page-aligned
      const auto write = [&](const View<float>& to) {
        detail::map_elements<Streams>(std::array<const float*, 1>{factors.data()}, multiply_add,
                                      kThreads, to, inputs);
      };
      write(out(shape, y));
      write(out_slice(wide, y + shape.elements(), channels, channels));
      detail::map_elements<Streams>(std::array<const float*, 0>{}, sum, kThreads,
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
  const Arena arena(4096, 1);   // page-aligned; views on it are never read
  float* const aligned = reinterpret_cast<float*>(arena.at(0));
  EXPECT_TRUE(is_worth_streaming(out(channels_last(1, 1, 1, voxels + 1, 16), aligned)));
  EXPECT_FALSE(is_worth_streaming(out(channels_last(1, 1, 1, voxels, 16), aligned)));
  EXPECT_FALSE(is_worth_streaming(out(channels_last(1, 1, 1, voxels + 1, 16), aligned + 8)));
  EXPECT_FALSE(is_worth_streaming(out(channels_last(1, 1, 1, 4 * voxels, 8), aligned)));
  EXPECT_TRUE(
      is_worth_streaming(out_slice(channels_last(1, 1, 1, 2 * voxels, 48), aligned, 16, 16)));
}

}  // namespace
}  // namespace voxmark::passes

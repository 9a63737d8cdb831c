#include "workloads/network/synthetic.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "base/error.h"
#include "base/sha256.h"

namespace voxmark {
namespace {

constexpr Dims kDims{16, 32, 48};

std::string hash_of(const std::vector<float>& values) {
  return sha256_hex(std::as_bytes(std::span(values)));
}

// Pinned, so that another compiler or optimisation level that rounds differently is caught. The
// digests come from a second implementation of the documented rules, in Python.
TEST(Synthetic, HasTheSameBitsEverywhere) {
  const Batch one = synthetic_batch(2, kDims, 1, 1, 1, 0);
  EXPECT_EQ(hash_of(one.input), "82b8fb9af7ce73c8b558c74c615d85a57b2b5001770d61990ebbbbdac916fd87");
  EXPECT_EQ(hash_of(one.target),
            "3797bbe89b85dd56836a60e8e60b3af1ba790b270f8541a794a46816b5ece53b");
  const Batch several = synthetic_batch(1, kDims, 4, 3, 0x0123456789abcdefU, 7);
  EXPECT_EQ(hash_of(several.input),
            "4caf5902361c746aefbaf935a3a23b9edf64c1adddb0463526b9f3b0e62dc166");
  EXPECT_EQ(hash_of(several.target),
            "8da68de477fd3a929311980d1eea6f1d43db6b5102f4db9ece577bc585fbd822");
  EXPECT_EQ(hash_of(he_uniform(1000, 27, 1, 5)),
            "22fe189aa0aca5947a5dace8fe8a5f36e3b7a49467514f3e49865a8f181f2e6c");
}

TEST(Synthetic, DoesNotDependOnTheNumberOfThreads) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const Batch one = synthetic_batch(1, kDims, 4, 3, 3, 1);
  const std::vector<float> one_weights = he_uniform(1001, 27, 3, 1);
  omp_set_num_threads(8);
  const Batch eight = synthetic_batch(1, kDims, 4, 3, 3, 1);
  const std::vector<float> eight_weights = he_uniform(1001, 27, 3, 1);
  omp_set_num_threads(before);
  EXPECT_EQ(one.input, eight.input);
  EXPECT_EQ(one.target, eight.target);
  EXPECT_EQ(one_weights, eight_weights);
}

TEST(Synthetic, SeedAndStepEachChangeInputAndTarget) {
  const Batch base = synthetic_batch(1, kDims, 1, 1, 1, 0);
  for (const auto& [seed, step] : {std::pair{2, 0}, std::pair{1, 1}}) {
    const Batch other = synthetic_batch(1, kDims, 1, 1, static_cast<std::uint64_t>(seed),
                                        static_cast<std::uint64_t>(step));
    EXPECT_NE(base.input, other.input);
    EXPECT_NE(base.target, other.target);
  }
}

TEST(Synthetic, InputHasMeanZeroAndVarianceOne) {
  const Batch batch = synthetic_batch(4, {64, 64, 64}, 1, 1, 11, 0);
  double sum = 0;
  double sum_of_squares = 0;
  for (const float value : batch.input) {
    sum += static_cast<double>(value);
    sum_of_squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const auto count = static_cast<double>(batch.input.size());
  EXPECT_NEAR(sum / count, 0.0, 0.005);              // five standard errors of 2^-10
  EXPECT_NEAR(sum_of_squares / count, 1.0, 0.0045);  // five standard errors of 0.89 x 2^-10
  EXPECT_LT(*std::ranges::max_element(batch.input), 1.7320508F);
  EXPECT_GE(*std::ranges::min_element(batch.input), -1.7320508F);
}

TEST(Synthetic, OneClassMarksATenthOfTheVoxels) {
  const Batch batch = synthetic_batch(1, {64, 64, 64}, 1, 1, 11, 0);
  ASSERT_EQ(batch.output_channels, 1);
  ASSERT_EQ(batch.target.size(), 64U * 64 * 64);
  const auto ones = std::ranges::count(batch.target, 1.0F);
  EXPECT_EQ(ones + std::ranges::count(batch.target, 0.0F), 64 * 64 * 64);
  EXPECT_NEAR(static_cast<double>(ones) / (64.0 * 64 * 64), 0.1, 0.003);  // five standard errors
}

TEST(Synthetic, SeveralClassesAreOneHotWithBackground) {
  const Batch batch = synthetic_batch(1, {64, 64, 64}, 1, 3, 11, 0);
  ASSERT_EQ(batch.output_channels, 4);
  std::vector<int> voxels_of(4);
  for (std::size_t voxel = 0; voxel < batch.target.size() / 4; ++voxel) {
    const auto channels = std::span(batch.target).subspan(voxel * 4, 4);
    ASSERT_EQ(std::ranges::count(channels, 1.0F), 1);
    ASSERT_EQ(std::ranges::count(channels, 0.0F), 3);
    ++voxels_of[static_cast<std::size_t>(std::ranges::find(channels, 1.0F) - channels.begin())];
  }
  EXPECT_NEAR(voxels_of[0] / (64.0 * 64 * 64), 0.9, 0.003);
  for (const int label : {1, 2, 3}) {
    // Five standard errors of a share of 1/30.
    EXPECT_NEAR(voxels_of[static_cast<std::size_t>(label)] / (64.0 * 64 * 64), 1.0 / 30, 0.0018);
  }
}

TEST(Synthetic, HeUniformReachesItsLimit) {
  const std::vector<float> values = he_uniform(100'000, 27, 1, 0);
  const float limit = std::sqrt(6.0F / 27.0F);
  EXPECT_GT(*std::ranges::max_element(values), 0.999F * limit);
  EXPECT_LT(*std::ranges::min_element(values), -0.999F * limit);
  EXPECT_LE(*std::ranges::max_element(values), limit);
  EXPECT_NE(values, he_uniform(100'000, 27, 1, 1));
  EXPECT_NE(values, he_uniform(100'000, 27, 2, 0));
  EXPECT_TRUE(he_uniform(0, 27, 1, 0).empty());
}

TEST(Synthetic, RefusesImpossibleShapes) {
  EXPECT_THROW(synthetic_batch(0, kDims, 1, 1, 1, 0), Error);
  EXPECT_THROW(synthetic_batch(1, {16, -16, 16}, 1, 1, 1, 0), Error);
  EXPECT_THROW(synthetic_batch(1, kDims, 0, 1, 1, 0), Error);
  EXPECT_THROW(synthetic_batch(1, kDims, 1, 0, 1, 0), Error);
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  EXPECT_THROW(synthetic_batch(huge, kDims, 1, 1, 1, 0), Error);
  EXPECT_THROW(synthetic_batch(1, kDims, 1, huge, 1, 0), Error);
  EXPECT_THROW(synthetic_batch(1 << 20, {1 << 20, 1 << 20, 1 << 20}, 1, 1, 1, 0), Error);
  EXPECT_THROW(he_uniform(-1, 27, 1, 0), Error);
  EXPECT_THROW(he_uniform(1, 0, 1, 0), Error);
}

}  // namespace
}  // namespace voxmark

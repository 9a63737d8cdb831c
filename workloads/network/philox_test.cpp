#include "workloads/network/philox.h"

#include <gtest/gtest.h>

namespace voxmark {
namespace {

using Block = std::array<std::uint32_t, 4>;

// The three known answers for philox4x32 with 10 rounds of Random123's kat_vectors.
TEST(Philox, MatchesTheKnownAnswersOfRandom123) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U}));
  constexpr std::uint32_t kOnes = 0xffffffffU;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Block{0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU}));
  EXPECT_EQ(
      philox4x32({0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}, {0xa4093822U, 0x299f31d0U}),
      (Block{0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U}));
}

TEST(Philox, UniformIsTheUpper24BitsOfTheFirstWord) {
  EXPECT_EQ(uniform_24_bits(0, 0, 0), 0x6627e8U);
  EXPECT_EQ(uniform(0, 0, 0), static_cast<float>(0x6627e8) / 16777216.0F);
  // Index and stream fill the counter, the seed the key, low words first.
  EXPECT_EQ(uniform_24_bits(0x299f31d0'a4093822U, 0x03707344'13198a2eU, 0x85a308d3'243f6a88U),
            0xd16cfeU);
}

TEST(Philox, SeedStreamAndIndexEachChangeTheValue) {
  const std::uint64_t beyond_32_bits = std::uint64_t{1} << 32U;
  for (const std::uint64_t one : {std::uint64_t{1}, beyond_32_bits}) {
    EXPECT_NE(uniform_24_bits(one, 0, 0), uniform_24_bits(0, 0, 0));
    EXPECT_NE(uniform_24_bits(0, one, 0), uniform_24_bits(0, 0, 0));
    EXPECT_NE(uniform_24_bits(0, 0, one), uniform_24_bits(0, 0, 0));
  }
}

TEST(Philox, UniformHasTheMomentsOfAUniformVariable) {
  constexpr int kCount = 1'000'000;
  double sum = 0;
  double sum_of_squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double value = static_cast<double>(uniform(7, 3, static_cast<std::uint64_t>(i)));
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
    sum_of_squares += value * value;
  }
  const double mean = sum / kCount;
  // Five standard errors of the mean (0.00029) and of the variance (0.000075).
  EXPECT_NEAR(mean, 0.5, 0.0015);
  EXPECT_NEAR(sum_of_squares / kCount - mean * mean, 1.0 / 12, 0.0004);
}

}  // namespace
}  // namespace voxmark

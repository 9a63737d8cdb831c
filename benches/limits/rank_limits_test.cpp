#include "benches/limits/rank_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/ranks/ranks_in_threads.h"

namespace voxmark {
namespace {

RankLimits limits_of(int ranks, RankSizes sizes) {
  RankLimits first;
  run_ranks(ranks, [&](Collectives& collectives) {
    RankLimits own = rank_limits(collectives, sizes);
    if (collectives.rank() == 0) {
      first = std::move(own);
    }
  });
  return first;
}

void expect_ordered(const MessageLimit& limit) {
  EXPECT_GE(limit.calls, 3);
  EXPECT_GT(limit.seconds_minimum, 0);
  EXPECT_LE(limit.seconds_minimum, limit.seconds);
  EXPECT_LE(limit.seconds, limit.seconds_maximum);
  EXPECT_LE(limit.seconds_minimum, limit.seconds_mean);
  EXPECT_LE(limit.seconds_mean, limit.seconds_maximum);
  EXPECT_GE(limit.cpu_seconds, 0);
}

TEST(RankLimits, HaveTheSizesOfAStepWithTheirSpread) {
  const RankLimits limits = limits_of(3, RankSizes::few);
  EXPECT_EQ(limits.ranks, 3);
  ASSERT_GE(limits.gathers->size(), 2U);
  EXPECT_EQ(limits.gathers->front().bytes, 8);
  EXPECT_FALSE(limits.gathers->front().bytes_per_second);
  ASSERT_GE(limits.sums->size(), 2U);
  EXPECT_EQ(limits.sums->back().bytes, 4 << 20) << "a message of gradients";
  std::ranges::for_each(*limits.gathers, expect_ordered);
  std::ranges::for_each(*limits.sums, expect_ordered);
  expect_ordered(*limits.gather_behind_sum);
}

TEST(RankLimits, TellTheBytesThatEachRankSends) {
  const RankLimits limits = limits_of(4, RankSizes::few);
  for (const MessageLimit& sum : *limits.sums) {
    EXPECT_NEAR(*sum.bytes_per_second * *sum.seconds, 1.5 * static_cast<double>(*sum.bytes), 1e-3)
        << "2 (R - 1) / R of a message";
  }
}

}  // namespace
}  // namespace voxmark

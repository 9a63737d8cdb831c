#include "benches/child/rank_times.h"

#include <gtest/gtest.h>

#include <array>

namespace voxmark {
namespace {

ExchangeTimes times_of(std::vector<double> waits, std::vector<double> messages) {
  ExchangeTimes times;
  times.waits = std::move(waits);
  times.messages = std::move(messages);
  return times;
}

// Three meetings, of which the last is for gradients. Rank 0 comes first to the first one, rank 1
// to the others.
TEST(RankStep, TellsWaitingForASlowerRankFromTheWire) {
  const std::array waits = {5.0, 1.0, 2.0,   // of rank 0
                            1.0, 4.0, 6.0};  // of rank 1
  const std::array messages = {3.0, 2.0, 7.0, 1.0};
  const RankStep first = rank_step(20, times_of({5, 1, 2}, {3, 2}), waits, messages);
  EXPECT_DOUBLE_EQ(first.seconds, 20);
  EXPECT_DOUBLE_EQ(first.slower_rank, (5 + 1 + 2) - (1 + 1 + 2));
  EXPECT_DOUBLE_EQ(first.messages, 3 + 1);
  EXPECT_DOUBLE_EQ(first.hidden, (3 + 1) - 2);
  const RankStep second = rank_step(21, times_of({1, 4, 6}, {7, 1}), waits, messages);
  EXPECT_DOUBLE_EQ(second.slower_rank, (1 + 4 + 6) - (1 + 1 + 2));
  EXPECT_DOUBLE_EQ(second.messages, first.messages);
  EXPECT_DOUBLE_EQ(second.hidden, first.hidden);
}

TEST(RankStep, HidesNothingWhereRanksWaitForAllMessages) {
  const std::array waits = {9.0, 9.0};
  const std::array messages = {4.0, 4.0};
  const RankStep step = rank_step(10, times_of({9}, {4}), waits, messages);
  EXPECT_DOUBLE_EQ(step.hidden, 0);
  EXPECT_DOUBLE_EQ(step.slower_rank, 0);
}

TEST(SlowestRank, IsTheFirstOfThoseThatTookLongest) {
  EXPECT_EQ(slowest_rank(std::array{1.0, 3.0, 2.0}), 1U);
  EXPECT_EQ(slowest_rank(std::array{2.0, 2.0}), 0U);
}

}  // namespace
}  // namespace voxmark

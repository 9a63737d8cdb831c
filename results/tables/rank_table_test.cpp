#include "results/tables/rank_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/example_record.h"

namespace voxmark {
namespace {

using testing::HasSubstr;

// A step of `factor` times the example's seconds.
Record on(int ranks, int threads, int batch, double factor) {
  Record record = example_record("onednn", 0, factor);
  record.spec["threads"] = threads;
  record.spec["batch"] = batch;
  if (ranks > 1) {
    record.spec["ranks"] = ranks;
    Json each = Json::array();
    for (int rank = 0; rank < ranks; ++rank) {
      each.push_back({{"times",
                       {{"step_seconds", 1.0},
                        {"statistics_seconds", 0.01 * (rank + 1)},
                        {"loss_seconds", 0.0},
                        {"gradients_seconds", 0.02},
                        {"slower_rank_seconds", 0.005},
                        {"hidden_seconds", 0.1},
                        {"bytes_sent", 2e6}}}});
    }
    record.facts.probes.emplace().ranks = {{"library", "MPI"}, {"each", each}};
  }
  return record;
}

TEST(RankTable, HasTheModelBesideTheMeasuredStep) {
  std::vector<Record> records = {on(1, 1, 2, 1), on(2, 1, 1, 1)};
  const double measured = rank_rows(records)[0][1].step_seconds.median;
  records[1].details["rank_model"] = {{"seconds", 0.9 * measured}};
  const auto groups = rank_rows(records);
  EXPECT_FALSE(groups[0][0].model_seconds);
  ASSERT_TRUE(groups[0][1].model_seconds);
  EXPECT_DOUBLE_EQ(*groups[0][1].model_seconds, 0.9 * measured);
  EXPECT_THAT(render_rank_rows(groups), HasSubstr("(-10%)"));
  records[1].details["rank_model"] = {{"seconds", nullptr}, {"reason", "no limits"}};
  EXPECT_FALSE(rank_rows(records)[0][1].model_seconds);
}

TEST(RankTable, ComparesImagesPerSecondWithTheFewestRanks) {
  // Strong scaling: half the images each, in 0.6 of the time on twice the threads.
  const std::vector<Record> records = {on(2, 1, 1, 0.6), on(1, 1, 2, 1), on(4, 1, 1, 0.75)};
  const auto groups = rank_rows(records);
  ASSERT_EQ(groups.size(), 1U);
  ASSERT_EQ(groups[0].size(), 3U);
  EXPECT_EQ(groups[0][0].images_per_step, 2);
  EXPECT_DOUBLE_EQ(groups[0][0].speed_up.median, 1);
  EXPECT_NEAR(groups[0][1].speed_up.median, 1 / 0.6, 1e-9);
  EXPECT_NEAR(groups[0][1].efficiency, 1 / 1.2, 1e-9);
  EXPECT_LE(groups[0][1].speed_up.minimum, groups[0][1].speed_up.median);
  EXPECT_NEAR(groups[0][2].speed_up.median, 2 / 0.75, 1e-9) << "weak: twice the images";
  EXPECT_FALSE(groups[0][0].times);
  ASSERT_TRUE(groups[0][1].times);
  EXPECT_NEAR(groups[0][1].times->statistics, 0.015, 1e-12) << "median of the ranks";
  EXPECT_NEAR(groups[0][1].times->exposed, 0.035, 1e-12);
}

TEST(RankTable, AtEqualCoresEfficiencyIsTheSpeedUp) {
  const auto groups = rank_rows(std::vector<Record>{on(1, 2, 2, 1), on(2, 1, 1, 0.8)});
  EXPECT_NEAR(groups.at(0)[1].efficiency, 1.25, 1e-9);
}

TEST(RankTable, SaysNothingWithoutRanks) {
  EXPECT_EQ(render_rank_rows(rank_rows(std::vector<Record>{on(1, 1, 1, 1), on(1, 2, 1, 1)})), "");
}

TEST(RankTable, KeepsOtherWorkApart) {
  Record local = on(2, 1, 1, 1);
  local.spec["batch_norm"] = "local";
  EXPECT_EQ(rank_rows(std::vector<Record>{on(2, 1, 1, 1), local}).size(), 2U);
}

TEST(RankTable, IsReadable) {
  const std::string text =
      render_rank_rows(rank_rows(std::vector<Record>{on(1, 2, 2, 1), on(2, 1, 1, 0.8)}));
  EXPECT_THAT(text, HasSubstr("Ranks of onednn"));
  EXPECT_THAT(text, HasSubstr("1x2"));
  EXPECT_THAT(text, HasSubstr("125%"));
}

}  // namespace
}  // namespace voxmark

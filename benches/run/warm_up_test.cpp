#include "benches/run/warm_up.h"

#include <gtest/gtest.h>

#include <cstddef>

namespace voxmark {
namespace {

// `warmup` steps and then timed ones.
std::vector<SampleRecord> steps(std::size_t warmup, const std::vector<double>& seconds) {
  std::vector<SampleRecord> samples;
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    samples.push_back({StepTimes{0, seconds[i], 0, seconds[i]}, 0.5, i < warmup, Json::object()});
  }
  return samples;
}

TEST(WarmUp, IsOverWhenTheFirstTimedStepIsLikeTheLaterOnes) {
  EXPECT_EQ(members_to_json(warm_up(steps(2, {9, 4, 1.01, 0.99, 1, 1.02}))),
            Json({{"over", true}, {"steps", 2}, {"needed", 2}}));
  EXPECT_EQ(members_to_json(warm_up(steps(2, {9, 1, 1.01, 0.99, 1, 1.02}))),
            Json({{"over", true}, {"steps", 2}, {"needed", 1}}));
}

TEST(WarmUp, IsNotOverWhileTimedStepsBecomeFaster) {
  EXPECT_EQ(members_to_json(warm_up(steps(1, {9, 4, 2, 1, 1, 1}))),
            Json({{"over", false}, {"steps", 1}, {"needed", 3}}));
  EXPECT_EQ(members_to_json(warm_up(steps(0, {9, 1, 1}))),
            Json({{"over", false}, {"steps", 0}, {"needed", 1}}));
}

TEST(WarmUp, TheSpreadOfStepsIsNoWarmUp) {
  EXPECT_EQ(warm_up(steps(1, {9, 1.04, 0.98, 1, 0.97})).over, true);
  EXPECT_EQ(warm_up(steps(0, {1, 1.5, 2})).over, true) << "slower is another thing";
}

TEST(WarmUp, ADisturbedStepJudgesNothing) {
  std::vector<SampleRecord> samples = steps(1, {9, 3, 1, 1, 1});
  EXPECT_EQ(warm_up(samples).over, false);
  samples[1].readings["tainted"] = {"2 major page faults"};
  EXPECT_EQ(members_to_json(warm_up(samples)), Json({{"over", true}, {"steps", 1}, {"needed", 2}}));
}

TEST(WarmUp, OfTooFewStepsIsNotKnown) {
  const WarmUp two = warm_up(steps(1, {9, 1, 1}));
  EXPECT_TRUE(members_to_json(two).at("over").is_null());
  EXPECT_EQ(two.reason, "needs three timed steps that nothing disturbed");
  EXPECT_FALSE(warm_up({}).over);
}

}  // namespace
}  // namespace voxmark

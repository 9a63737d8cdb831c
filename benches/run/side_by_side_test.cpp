// Copies that begin and end at different times: what counts is the time that all share.
#include "benches/run/side_by_side.h"

#include <gmock/gmock.h>

namespace voxmark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Steps of `seconds` each, one after the other from `begin` on, the first `warmup` of them warm-up.
Exchange copy_of(double begin, double seconds, int steps, int warmup) {
  Exchange copy;
  for (int i = 0; i < steps; ++i) {
    StepMessage step;
    step.warmup = i < warmup;
    step.step_seconds = seconds;
    copy.steps.push_back(step);
    copy.told_at.push_back(begin + (i + 1) * seconds);
  }
  return copy;
}

TEST(SideBySide, AProcessAloneHasAllOfItsSteps) {
  const std::vector<Exchange> one = {copy_of(0, 1, 3, 1)};
  const SideBySide found = side_by_side(one, 1);
  EXPECT_FALSE(found.apart);
  EXPECT_THAT(found.alone.at(0), ElementsAre(false, false, false));
  EXPECT_THAT(counted_seconds(one, 0, found), ElementsAre(1, 1));
}

TEST(SideBySide, StepsCountFromTheLastWarmUpToTheFirstEnd) {
  // Warm from 1 to 5 s, and from 3 to 7 s: 3 to 5 s are common.
  const std::vector<Exchange> copies = {copy_of(0, 1, 5, 1), copy_of(2, 1, 5, 1)};
  const SideBySide found = side_by_side(copies, 1);
  EXPECT_FALSE(found.apart);
  EXPECT_THAT(found.alone.at(0), ElementsAre(false, true, true, false, false));
  EXPECT_THAT(found.alone.at(1), ElementsAre(false, false, false, true, true));
}

TEST(SideBySide, ASlowCopyCountsWhatItDidBesideAFastOne) {
  const std::vector<Exchange> copies = {copy_of(0, 1, 8, 2), copy_of(0, 2, 8, 2)};
  const SideBySide found = side_by_side(copies, 2);  // from 4 to 8 s
  EXPECT_THAT(counted_seconds(copies, 0, found), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(counted_seconds(copies, 1, found), ElementsAre(2, 2));
}

// Copies that do the same never end in one moment.
TEST(SideBySide, ALastStepThatEndsALittleLaterCounts) {
  const std::vector<Exchange> copies = {copy_of(0, 1, 2, 1), copy_of(0.05, 1, 2, 1)};
  const SideBySide found = side_by_side(copies, 1);
  EXPECT_FALSE(found.apart);
  EXPECT_THAT(counted_seconds(copies, 0, found), ElementsAre(1));
  EXPECT_THAT(counted_seconds(copies, 1, found), ElementsAre(1));
}

TEST(SideBySide, CopiesThatRanOneAfterTheOtherAreApart) {
  const std::vector<Exchange> copies = {copy_of(0, 1, 3, 1), copy_of(10, 1, 3, 1)};
  const SideBySide found = side_by_side(copies, 1);
  ASSERT_TRUE(found.apart);
  EXPECT_THAT(*found.apart, HasSubstr("copy 1"));
  EXPECT_THAT(*found.apart, HasSubstr("--steps"));
  EXPECT_THAT(counted_seconds(copies, 1, found), ElementsAre(1, 1)) << "flagged, and not dropped";
}

TEST(SideBySide, WithoutWarmUpTheCommonTimeBeginsWithTheLastFirstStep) {
  const std::vector<Exchange> copies = {copy_of(0, 1, 4, 0), copy_of(2, 1, 4, 0)};
  EXPECT_THAT(side_by_side(copies, 0).alone.at(0), ElementsAre(true, true, false, false));
}

}  // namespace
}  // namespace voxmark

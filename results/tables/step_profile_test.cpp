#include "results/tables/step_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/example_record.h"

namespace voxmark {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

StageRecord stage(const std::string& kind, const std::string& direction,
                  std::optional<double> seconds, bool recomputed = false) {
  return {{kind}, "jit", "ndhwc", "avx2", recomputed, kind, direction, seconds};
}

Record watched(const std::string& backend, int process, double factor = 1) {
  Record record = example_record(backend, process, factor);
  record.stages = {stage("convolution", "forward", 0.25 * factor),
                   stage("convolution", "forward", 0.25 * factor),
                   stage("batch norm and ReLU", "forward", 0.1 * factor),
                   stage("batch norm and ReLU", "forward", 0.05 * factor, true),
                   stage("update", "update", std::nullopt)};
  return record;
}

double seconds_of(const StepProfile& profile, const std::string& kind,
                  const std::string& direction) {
  for (const ProfilePart& part : profile.parts) {
    if (part.kind == kind && part.direction == direction) {
      return part.seconds;
    }
  }
  return -1;
}

TEST(StepProfile, SumsStagesByWorkAndTakesTheMedianProcess) {
  const std::vector<Record> records = {watched("onednn", 0, 1), watched("onednn", 1, 3),
                                       watched("onednn", 2, 2)};
  const auto profiles = step_profiles(records);
  ASSERT_EQ(profiles.size(), 1U);
  EXPECT_DOUBLE_EQ(seconds_of(profiles[0], "convolution", "forward"), 1.0);
  EXPECT_DOUBLE_EQ(seconds_of(profiles[0], "batch norm and ReLU", "forward"), 0.2);
  EXPECT_DOUBLE_EQ(seconds_of(profiles[0], "batch norm and ReLU", "recomputed"), 0.1);
  EXPECT_DOUBLE_EQ(seconds_of(profiles[0], "update", "update"), 0.4) << "of the timed steps";
  EXPECT_DOUBLE_EQ(profiles[0].step_seconds, 2.0);
}

TEST(StepProfile, CasesWithoutPublishedTimesHaveNone) {
  Record wrong = watched("onednn", 0);
  wrong.outcome = Outcome::invalid;
  EXPECT_TRUE(step_profiles(std::vector<Record>{wrong}).empty());
}

TEST(StepProfile, BackendsStandSideBySideTheLongestPartFirst) {
  const std::vector<Record> records = {watched("eigen", 0, 2), watched("onednn", 0)};
  const std::string text = render_profiles(step_profiles(records));
  EXPECT_THAT(text, HasSubstr("64x64x64 batch 2 fp32 2 threads"));
  EXPECT_THAT(text, ContainsRegex("eigen ms +share +onednn ms +share"));
  EXPECT_THAT(text, ContainsRegex("convolution +forward +1000 +58.8% +500.0 +58.8%"));
  EXPECT_LT(text.find("convolution"), text.find("batch norm"));
  EXPECT_THAT(text, ContainsRegex("the timed step +2000 +1000"));
}

TEST(StepProfile, HeadingsTellInstructionSetsAndMemoryLimitsApart) {
  Record narrow = watched("onednn", 0), limited = watched("onednn", 0);
  narrow.spec["isa"] = "avx2";
  limited.spec["memory_limit_bytes"] = 1'610'612'736;
  const std::string text = render_profiles(step_profiles(std::vector<Record>{narrow, limited}));
  EXPECT_THAT(text, HasSubstr("2 threads avx2, in steps"));
  EXPECT_THAT(text, HasSubstr("2 threads within 1.50 GiB, in steps"));
}

TEST(StepProfile, WhoTellsNothingIsNamed) {
  Record external = example_record("exec:mine", 0);
  external.stages.clear();
  const std::string text = render_profiles(step_profiles(std::vector<Record>{external}));
  EXPECT_EQ(text, "exec:mine: tells no seconds of its stages\n");
  EXPECT_THAT(render_profiles(step_profiles(std::vector<Record>{watched("onednn", 0)})),
              Not(HasSubstr("tells no")));
}

}  // namespace
}  // namespace voxmark

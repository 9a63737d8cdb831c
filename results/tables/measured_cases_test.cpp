#include "results/tables/measured_cases.h"

#include <gtest/gtest.h>

#include "results/claims/example_claims.h"

namespace voxmark {
namespace {

TEST(MeasuredCases, ClocksAreReadFromTheirReadings) {
  const Record record = measured("onednn", 0, 2.0);
  const std::vector<const Record*> processes = {&record};
  EXPECT_DOUBLE_EQ(seconds_of(processes, "wall", "step")->median, 2.0);
  EXPECT_DOUBLE_EQ(seconds_of(processes, "wall", "forward_backward")->median, 1.6);
  EXPECT_DOUBLE_EQ(seconds_of(processes, "user", "step")->median, 3.0);
  EXPECT_DOUBLE_EQ(seconds_of(processes, "system", "step")->median, 0.2);
  EXPECT_DOUBLE_EQ(seconds_of(processes, "cpu", "step")->median, 3.2);
  EXPECT_FALSE(seconds_of(processes, "cpu", "forward_backward")) << "read once per step";
  Record silent = record;
  for (SampleRecord& sample : silent.samples) {
    sample.readings = Json::object();
  }
  EXPECT_FALSE(seconds_of(std::vector<const Record*>{&silent}, "cpu", "step"));
}

TEST(MeasuredCases, TheProcessIsTheSample) {
  Record first = measured("onednn", 0, 1.0);
  first.samples[2].times->step_seconds = 9;  // one slow step
  const Record second = measured("onednn", 1, 2.0);
  const std::vector<const Record*> processes = {&first, &second};
  const auto spread = seconds_of(processes, "wall", "step");
  EXPECT_DOUBLE_EQ(spread->minimum, 2.0);
  EXPECT_DOUBLE_EQ(spread->maximum, 5.0) << "the median of 1 and 9";
}

TEST(MeasuredCases, ARatiosRangeIsWhatTheProcessesAllow) {
  Report report = recorded(4, 1, 1.5);
  const auto cases = papers_cases(report);
  const auto ratio = ratio_of(cases.at(0), cases.at(1), "wall", "step");
  ASSERT_TRUE(ratio);
  EXPECT_DOUBLE_EQ(ratio->times.middle, 4.0);
  EXPECT_NEAR(ratio->times.low, 4.0 / 1.5, 1e-12);
  EXPECT_NEAR(ratio->times.high, 4.0 * 1.5, 1e-12);
  EXPECT_EQ(ratio_text(*ratio), "4.00x (2.67..6.00, 2 processes)");
}

// The paper's figures are of one process.
TEST(MeasuredCases, LeavesOutStepsOfSeveralRanks) {
  Report report = recorded(4, 1, 1.5);
  const std::size_t count = papers_cases(report).size();
  for (Record& record : report.records) {
    record.spec["ranks"] = 2;
  }
  EXPECT_GT(count, 0U);
  EXPECT_TRUE(papers_cases(report).empty());
}

}  // namespace
}  // namespace voxmark

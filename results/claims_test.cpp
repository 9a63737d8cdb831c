#include "results/claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "results/example_record.h"

namespace voxmark {
namespace {

using testing::HasSubstr;

// A record of `backend` as one process left it.
Record measured(const std::string& backend, int process, double step_seconds,
                std::int64_t extent = 64) {
  Record record = example_record(backend, process, step_seconds);
  record.spec["image"] = {extent, extent, extent};
  for (SampleRecord& sample : record.samples) {
    sample.readings = {{"user_seconds", 1.5 * step_seconds},
                       {"system_seconds", 0.1 * step_seconds},
                       {"minor_faults", 7}};
  }
  // 1000 bytes per voxel above a base of 1 GB.
  const double voxels = 2.0 * static_cast<double>(extent * extent * extent);
  record.memory.base_bytes = 1'000'000'000;
  record.memory.planned_bytes = static_cast<std::uint64_t>(1000 * voxels);
  record.memory.allocated_bytes = record.memory.planned_bytes;
  record.memory.peak_bytes = static_cast<std::uint64_t>(1e9 + 1000 * voxels);
  return record;
}

// Two processes of each backend: `slow` and `fast` seconds, the second one `spread` times as long.
Report recorded(double slow, double fast, double spread = 1.01) {
  Report report = example_report();
  report.records = {
      measured("tensorflow-stock", 0, slow), measured("tensorflow-stock", 1, slow * spread),
      measured("tensorflow-onednn", 0, fast), measured("tensorflow-onednn", 1, fast * spread)};
  return report;
}

Claims ratio_claim() {
  Claims claims = whitepaper_claims();
  claims.claims = Json::array({claims.claims.at(0)});
  return claims;
}

const Json kModel = {
    {"parameters", 5650801}, {"trainable_parameters", 5647857}, {"moving_statistics", 2944}};

Finding only(const Claims& claims, const Report& report) {
  const std::vector<Finding> findings = judge(claims, report, kModel);
  EXPECT_EQ(findings.size(), 1U);
  return findings.front();
}

TEST(Claims, TheWhitepapersClaimsKeepToTheirSchema) {
  const Claims claims = whitepaper_claims();
  EXPECT_GE(claims.claims.size(), 10U);
  Json broken = {{"schema", "voxmark.claims/1"}, {"source", "x"}, {"factors", Json::array()}};
  broken["claims"] = {{{"id", "a"}, {"sentence", "b"}, {"kind", "ratio"}}};  // of what to what?
  EXPECT_THROW(claims_from_json(broken, "broken"), Error);
}

TEST(Claims, ARatioWithinItsToleranceIsReproduced) {
  const Finding finding = only(ratio_claim(), recorded(3.4, 1.0));
  EXPECT_EQ(finding.verdict, Verdict::reproduced);
  EXPECT_THAT(finding.here, HasSubstr("3.40x"));
  EXPECT_EQ(exit_code(std::vector{finding}), ExitCode::done);
}

TEST(Claims, ASmallerSpeedUpIsLower) {
  const Finding finding = only(ratio_claim(), recorded(2.0, 1.0));
  EXPECT_EQ(finding.verdict, Verdict::lower);
  EXPECT_EQ(exit_code(std::vector{finding}), ExitCode::done);
}

TEST(Claims, ALargerSpeedUpIsHigher) {
  EXPECT_EQ(only(ratio_claim(), recorded(7.0, 1.0)).verdict, Verdict::higher);
}

TEST(Claims, NoSpeedUpRefutesOne) {
  const Finding finding = only(ratio_claim(), recorded(0.9, 1.0, 1.02));
  EXPECT_EQ(finding.verdict, Verdict::refuted);
  EXPECT_EQ(exit_code(std::vector{finding}), ExitCode::answer_is_no);
}

TEST(Claims, AnIntervalOverAnEdgeIsInconclusive) {
  const Finding finding = only(ratio_claim(), recorded(3.4, 1.0, 1.5));
  EXPECT_EQ(finding.verdict, Verdict::inconclusive);
  EXPECT_EQ(exit_code(std::vector{finding}), ExitCode::inconclusive);
}

TEST(Claims, WhatWasNotMeasuredIsNotComparable) {
  Report report = recorded(3.4, 1.0);
  report.records[0] =
      example_failure("tensorflow-stock", 0, Outcome::skipped, "not installed (ci/peers)");
  report.records[1] =
      example_failure("tensorflow-stock", 1, Outcome::skipped, "not installed (ci/peers)");
  const Finding finding = only(ratio_claim(), report);
  EXPECT_EQ(finding.verdict, Verdict::not_comparable);
  EXPECT_EQ(finding.remark, "tensorflow-stock: skipped: not installed (ci/peers)");
  EXPECT_EQ(exit_code(std::vector{finding}), ExitCode::not_comparable);
}

TEST(Claims, AWrongStepIsNoEvidence) {
  Report report = recorded(3.4, 1.0);
  for (std::size_t i : {0U, 1U}) {
    report.records[i].outcome = Outcome::invalid;
  }
  EXPECT_EQ(only(ratio_claim(), report).verdict, Verdict::not_comparable);
}

TEST(Claims, TheLargestShapeDecides) {
  Report report = recorded(3.4, 1.0);
  for (const Record& record :
       {measured("tensorflow-stock", 0, 70, 128), measured("tensorflow-onednn", 0, 10, 128)}) {
    report.records.insert(report.records.begin(), record);
  }
  const std::vector<Finding> findings = judge(ratio_claim(), report, kModel);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_FALSE(findings[0].decides);
  EXPECT_EQ(findings[0].verdict, Verdict::reproduced);
  EXPECT_TRUE(findings[1].decides);
  EXPECT_EQ(findings[1].verdict, Verdict::higher);
  EXPECT_THAT(findings[1].here, HasSubstr("at 128x128x128 b2"));
}

TEST(Claims, OtherWorkloadsAreNotCompared) {
  Report report = recorded(3.4, 1.0);
  for (std::size_t i : {0U, 1U}) {
    report.records[i].spec["threads"] = 1;
  }
  EXPECT_EQ(only(ratio_claim(), report).verdict, Verdict::not_comparable);
}

TEST(Claims, AnotherModelIsNotThePapers) {
  Report report = recorded(3.4, 1.0);
  for (Record& record : report.records) {
    record.spec["filters"] = 4;
  }
  EXPECT_EQ(only(ratio_claim(), report).verdict, Verdict::not_comparable);
}

TEST(Claims, ClocksAreReadFromTheirReadings) {
  const Record record = measured("onednn", 0, 2.0);
  const std::vector<const Record*> processes = {&record};
  EXPECT_DOUBLE_EQ(seconds_of(processes, "wall", "step")->median, 2.0);
  EXPECT_DOUBLE_EQ(seconds_of(processes, "wall", "forward_backward")->median, 1.6);
  EXPECT_DOUBLE_EQ(seconds_of(processes, "user", "step")->median, 3.0);
  EXPECT_DOUBLE_EQ(seconds_of(processes, "cpu", "step")->median, 3.2);
  Record silent = record;
  for (SampleRecord& sample : silent.samples) {
    sample.readings = Json::object();
  }
  EXPECT_FALSE(seconds_of(std::vector<const Record*>{&silent}, "cpu", "step"));
}

TEST(Claims, MemoryIsALineOverVoxels) {
  Report report = example_report();
  report.records = {measured("onednn", 0, 1, 32), measured("onednn", 0, 1, 64),
                    measured("onednn", 0, 1, 96), measured("eigen", 0, 1, 32)};
  const std::vector<MemoryLine> lines = memory_lines(report);
  ASSERT_EQ(lines.size(), 1U) << "one size makes no line";
  EXPECT_NEAR(lines[0].bytes_per_voxel.middle, 1000, 1e-6);
  EXPECT_NEAR(lines[0].base_bytes, 1e9, 1);
  EXPECT_NEAR(lines[0].bytes_per_voxel.high, 1000, 1e-3);
  // Off the line, the interval opens.
  report.records[1].memory.peak_bytes = *report.records[1].memory.peak_bytes + 100'000'000;
  const Interval slope = memory_lines(report).front().bytes_per_voxel;
  EXPECT_LT(slope.low, slope.middle);
  EXPECT_LT(slope.middle, slope.high);
}

TEST(Claims, MemoryOutcomesAreThoseOfTheServer) {
  Claims claims = whitepaper_claims();
  Report report = example_report();
  report.records = {measured("onednn", 0, 1, 32), measured("onednn", 0, 1, 64)};
  const auto verdict = [&](const std::string& id) {
    for (const Finding& finding : judge(claims, report, kModel)) {
      if (finding.claim == id && finding.here.starts_with("onednn")) {
        return finding.verdict;
      }
    }
    return Verdict::not_comparable;
  };
  // 1000 bytes per voxel: 35 GB where the paper's did not fit 192 GB.
  EXPECT_EQ(verdict("memory-128"), Verdict::lower);
  EXPECT_EQ(verdict("memory-144"), Verdict::reproduced);
  EXPECT_EQ(verdict("memory-terabyte"), Verdict::lower);
  report.records[1].memory.peak_bytes = std::uint64_t{1} << 42;  // 4 TiB at 64
  EXPECT_EQ(verdict("memory-128"), Verdict::reproduced);
  EXPECT_EQ(verdict("memory-144"), Verdict::higher);
}

TEST(Claims, CountsAreExact) {
  Claims claims = whitepaper_claims();
  const auto verdict = [&](const Json& model) {
    for (const Finding& finding : judge(claims, recorded(3.4, 1), model)) {
      if (finding.claim == "parameters") {
        return finding.verdict;
      }
    }
    return Verdict::not_comparable;
  };
  EXPECT_EQ(verdict(kModel), Verdict::reproduced);
  Json other = kModel;
  other["parameters"] = 5650802;
  EXPECT_EQ(verdict(other), Verdict::refuted);
}

TEST(Claims, AnotherMachinesSecondsAreNotComparableAndSayWhatCanBeSaid) {
  Report report = recorded(3.4, 1.0);
  report.header.limits = {{"machine", {{"fp32_flops_per_second", 4e11}}}};
  for (const Finding& finding : judge(whitepaper_claims(), report, kModel)) {
    if (finding.claim == "seconds-per-image") {
      EXPECT_EQ(finding.verdict, Verdict::not_comparable);
      EXPECT_THAT(finding.remark, HasSubstr("94.2 GFLOP/s, 0.74% of its peak"));
      EXPECT_THAT(finding.remark, HasSubstr("% of what this machine does in fp32"));
    }
  }
}

TEST(Claims, TablesHaveARowPerFinding) {
  const Claims claims = whitepaper_claims();
  const Report report = recorded(3.4, 1.0);
  const std::vector<Finding> findings = judge(claims, report, kModel);
  EXPECT_EQ(findings_table(findings).rows.size(), findings.size());
  EXPECT_EQ(factors_table(claims, report).rows.size(), claims.factors.size());
  EXPECT_EQ(cost_table(report).rows.size(), 2U);
}

}  // namespace
}  // namespace voxmark

#include "results/claims/claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "results/claims/claims_data.h"
#include "results/claims/example_claims.h"

namespace voxmark {
namespace {

using testing::HasSubstr;
using testing::Not;

Claims ratio_claim() {
  Claims claims = whitepaper_claims();
  claims.claims = Json::array({claims.claims.at(0)});
  return claims;
}

Finding only(const Claims& claims, const Report& report) {
  const std::vector<Finding> findings = judge(claims, report, example_evidence());
  EXPECT_EQ(findings.size(), 1U);
  return findings.front();
}

TEST(Claims, TheWhitepapersClaimsKeepToTheirSchema) {
  const Claims claims = whitepaper_claims();
  EXPECT_GE(claims.claims.size(), 10U);
  const auto refused = [](const Json& claim) {
    Json json = parse_json(std::string(whitepaper_claims_text()), "claims");
    json["claims"] = Json::array({claim});
    try {
      claims_from_json(json, "broken");
      return false;
    } catch (const Error&) {
      return true;
    }
  };
  Json claim = claims.claims.at(0);
  EXPECT_FALSE(refused(claim));
  for (const char* key : {"baseline", "contender", "clock", "span", "value", "image", "batch"}) {
    Json broken = claim;
    broken.erase(key);
    EXPECT_TRUE(refused(broken)) << key;
  }
  claim["derived"] = true;
  EXPECT_TRUE(refused(claim)) << "what the paper does not say has no figure of the paper's";
}

TEST(Claims, ARatioWithinItsToleranceHolds) {
  const Finding finding = only(ratio_claim(), recorded(3.4, 1.0));
  EXPECT_EQ(finding.verdict, Verdict::holds);
  EXPECT_THAT(finding.here, HasSubstr("3.40x"));
  EXPECT_EQ(exit_code(std::vector{finding}), ExitCode::done);
}

TEST(Claims, ASmallerSpeedUpIsLess) {
  const Finding finding = only(ratio_claim(), recorded(2.0, 1.0));
  EXPECT_EQ(finding.verdict, Verdict::less);
  EXPECT_EQ(exit_code(std::vector{finding}), ExitCode::done);
}

TEST(Claims, ALargerSpeedUpIsMore) {
  EXPECT_EQ(only(ratio_claim(), recorded(7.0, 1.0)).verdict, Verdict::more);
}

TEST(Claims, NoSpeedUpDoesNotHold) {
  const Finding finding = only(ratio_claim(), recorded(0.9, 1.0, 1.02));
  EXPECT_EQ(finding.verdict, Verdict::does_not_hold);
  EXPECT_EQ(exit_code(std::vector{finding}), ExitCode::answer_is_no);
}

TEST(Claims, AnIntervalOverAnEdgeIsOpen) {
  const Finding finding = only(ratio_claim(), recorded(3.4, 1.0, 1.5));
  EXPECT_EQ(finding.verdict, Verdict::open);
  EXPECT_EQ(exit_code(std::vector{finding}), ExitCode::inconclusive);
}

TEST(Claims, WhatWasNotMeasuredIsNotTested) {
  Report report = recorded(3.4, 1.0);
  report.records[0] =
      example_failure("tensorflow-stock", 0, Outcome::skipped, "not installed (ci/peers)");
  report.records[1] =
      example_failure("tensorflow-stock", 1, Outcome::skipped, "not installed (ci/peers)");
  const Finding finding = only(ratio_claim(), report);
  EXPECT_EQ(finding.verdict, Verdict::not_tested);
  EXPECT_EQ(finding.remark, "tensorflow-stock: skipped: not installed (ci/peers)");
  EXPECT_EQ(exit_code(std::vector{finding}), ExitCode::not_comparable);
}

TEST(Claims, AWrongStepIsNoEvidence) {
  Report report = recorded(3.4, 1.0);
  for (std::size_t i : {0U, 1U}) {
    report.records[i].outcome = Outcome::invalid;
  }
  EXPECT_EQ(only(ratio_claim(), report).verdict, Verdict::not_tested);
}

TEST(Claims, TheLargestShapeOfSeveralProcessesDecides) {
  Report report = recorded(3.4, 1.0);
  const auto add = [&report](std::int64_t extent, int process) {
    report.records.insert(report.records.begin(),
                          {measured("tensorflow-stock", process, 70, extent),
                           measured("tensorflow-onednn", process, 10, extent)});
  };
  add(128, 0);
  add(128, 1);
  add(144, 0);
  const std::vector<Finding> findings = judge(ratio_claim(), report, example_evidence());
  ASSERT_EQ(findings.size(), 3U);
  EXPECT_EQ(findings[0].verdict, Verdict::holds);
  EXPECT_EQ(findings[1].verdict, Verdict::more);
  EXPECT_THAT(findings[1].here, HasSubstr("at 128x128x128 b2"));
  EXPECT_EQ(findings[2].verdict, Verdict::open) << "one process is no sample";
  EXPECT_THAT(findings[2].here, HasSubstr("one process"));
  EXPECT_FALSE(findings[0].decides);
  EXPECT_TRUE(findings[1].decides);
  EXPECT_FALSE(findings[2].decides);
}

TEST(Claims, OneProcessLeavesTheQuestionOpen) {
  Report report = recorded(7, 1.0);
  report.records.pop_back();
  const Finding finding = only(ratio_claim(), report);
  EXPECT_EQ(finding.verdict, Verdict::open);
  EXPECT_EQ(exit_code(std::vector{finding}), ExitCode::inconclusive);
}

TEST(Claims, SaysWhereSomethingElseRan) {
  Report report = recorded(7, 1.0);
  EXPECT_THAT(only(ratio_claim(), report).remark, Not(HasSubstr("something else")));
  report.records[1].facts.interference = example_interference(true);
  EXPECT_THAT(only(ratio_claim(), report).remark, HasSubstr("beside 1 of 4 processes"));
}

TEST(Claims, WhatWasDisturbedLeavesTheQuestionOpen) {
  Report report = recorded(7, 1.0);
  report.records[1].facts.interference = example_interference(true);
  EXPECT_EQ(only(ratio_claim(), report).verdict, Verdict::open) << "one is no sample";
  for (Record& record : report.records) {
    record.facts.interference = example_interference(true);
  }
  const Finding finding = only(ratio_claim(), report);
  EXPECT_EQ(finding.verdict, Verdict::open);
  EXPECT_THAT(finding.here, HasSubstr("2 processes")) << "the figure stays";
  EXPECT_THAT(finding.remark, HasSubstr("beside 4 of 4 processes; a verdict takes 2 undisturbed"));
  EXPECT_EQ(exit_code(std::vector{finding}), ExitCode::inconclusive);
}

TEST(Claims, ALargerShapeThatWasDisturbedDoesNotDecide) {
  Report report = recorded(3.4, 1.0);
  for (int process : {0, 1}) {
    for (const char* backend : {"tensorflow-stock", "tensorflow-onednn"}) {
      report.records.push_back(measured(backend, process, 10, 128));
      report.records.back().facts.interference = example_interference(true);
    }
  }
  const std::vector<Finding> findings = judge(ratio_claim(), report, example_evidence());
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_TRUE(findings[0].decides);
  EXPECT_FALSE(findings[1].decides);
}

Claims claim_of(const std::string& id) {
  Claims claims = whitepaper_claims();
  std::erase_if(claims.claims.get_ref<Json::array_t&>(),
                [&](const Json& claim) { return claim.at("id") != id; });
  return claims;
}

TEST(Claims, WhatThePaperDoesNotSayHasNoVerdictAndDecidesNothing) {
  Report report = example_report();
  report.records.clear();
  for (int process : {0, 1}) {
    Record slow = measured("eigen-tensor", process, 0.5);
    slow.spec["isa"] = "avx";
    Record fast = measured("onednn-direct", process, 1);
    fast.spec["isa"] = "avx512";
    fast.stages[0].implementation = "gemm:jit";
    report.records.insert(report.records.end(), {slow, fast});
  }
  const Finding finding = only(claim_of("eigen-avx-onednn-avx512"), report);
  EXPECT_THAT(finding.here, HasSubstr("0.50x")) << "two instruction sets, one workload";
  EXPECT_THAT(finding.remark, HasSubstr("1 of onednn-direct's 1 stages run ref: or gemm: kernels"));
  EXPECT_EQ(finding.paper, "");
  EXPECT_EQ(exit_code(std::vector{finding}), ExitCode::not_comparable) << "neither refuted";
  EXPECT_TRUE(to_json(std::vector{finding}).at(0).at("verdict").is_null());
}

TEST(Claims, CountsAloneAnswerNothing) {
  Report nothing = example_report();
  nothing.records.clear();
  const auto findings = judge(whitepaper_claims(), nothing, example_evidence());
  EXPECT_EQ(exit_code(findings), ExitCode::not_comparable);
}

TEST(Claims, OtherWorkloadsAreNotCompared) {
  Report report = recorded(3.4, 1.0);
  for (std::size_t i : {0U, 1U}) {
    report.records[i].spec["threads"] = 1;
  }
  EXPECT_EQ(only(ratio_claim(), report).verdict, Verdict::not_tested);
}

TEST(Claims, AnotherModelIsNotThePapers) {
  Report report = recorded(3.4, 1.0);
  for (Record& record : report.records) {
    record.spec["filters"] = 4;
  }
  EXPECT_EQ(only(ratio_claim(), report).verdict, Verdict::not_tested);
}

TEST(Claims, MemoryOutcomesAreThoseOfTheServer) {
  Report report = example_report();
  report.records = {measured("onednn", 0, 1, 32), measured("onednn", 0, 1, 64)};
  const auto verdict = [&](const std::string& id) {
    for (const Finding& finding : judge(claim_of(id), report, example_evidence())) {
      if (finding.here.starts_with("onednn")) {
        return finding.verdict;
      }
    }
    return Verdict::not_tested;
  };
  EXPECT_EQ(verdict("memory-128"), Verdict::open) << "too small";
  report.records.push_back(measured("onednn", 0, 1, 96));
  // 1000 bytes per voxel: 35 GB where the paper's did not fit 192 GB.
  EXPECT_EQ(verdict("memory-128"), Verdict::does_not_hold);
  EXPECT_EQ(verdict("memory-batch-2"), Verdict::holds);
  EXPECT_EQ(verdict("memory-144"), Verdict::holds);
  EXPECT_EQ(verdict("memory-40-gigabytes"), Verdict::less);
  EXPECT_EQ(verdict("memory-terabyte"), Verdict::less);
  for (Record& record : report.records) {
    record.memory.peak_bytes = *record.memory.peak_bytes * 100;
  }
  EXPECT_EQ(verdict("memory-128"), Verdict::holds);
  EXPECT_EQ(verdict("memory-144"), Verdict::does_not_hold);
  EXPECT_EQ(verdict("memory-40-gigabytes"), Verdict::holds);
  EXPECT_EQ(verdict("memory-terabyte"), Verdict::more);
  report.records[2].memory.peak_bytes = std::uint64_t{1} << 36;  // far off the line
  EXPECT_EQ(verdict("memory-terabyte"), Verdict::open);
}

// 1000 bytes per voxel where the paper calculated 1 TB for 16 images of 240x240x144.
TEST(Claims, APairThatDoesNotPlanIsHeldToThePapersCalculation) {
  Report report = example_report();
  for (const std::int64_t extent : {64, 96, 128}) {
    report.records.push_back(measured("tensorflow-onednn", 0, 1, extent));
    report.records.back().memory.planned_bytes.reset();
  }
  const Finding finding = judge(claim_of("memory-plan"), report, example_evidence()).front();
  EXPECT_THAT(
      finding.here,
      HasSubstr("tensorflow-onednn: 1000 bytes per voxel, 0.13 (0.13..0.13) of the paper's 7535"));
  EXPECT_EQ(finding.verdict, Verdict::less);
  EXPECT_THAT(finding.remark, HasSubstr("keeping every tensor of the step takes 2768"));
  for (Record& record : report.records) {
    record.memory.peak_bytes = *record.memory.peak_bytes * 7535 / 1000;
  }
  EXPECT_EQ(judge(claim_of("memory-plan"), report, example_evidence()).front().verdict,
            Verdict::holds);
}

TEST(Claims, WhatTakesOtherMemoryLeavesEveryFindingAsItIs) {
  Report report = recorded(3.4, 1.0);
  for (const std::int64_t extent : {32, 64, 96}) {
    report.records.push_back(measured("onednn", 0, 1, extent));
  }
  const auto findings = [&] {
    return to_json(judge(whitepaper_claims(), report, example_evidence()));
  };
  const Json expected = findings();
  const auto unchanged_by = [&](const char* key, const Json& value) {
    Report own = report;
    for (const std::int64_t extent : {32, 48, 64, 96}) {
      own.records.push_back(measured("onednn", 0, 1, extent));
      own.records.back().spec[key] = value;
      own.records.back().memory.peak_bytes = std::uint64_t{1} << 36U;
    }
    return to_json(judge(whitepaper_claims(), own, example_evidence())) == expected;
  };
  EXPECT_TRUE(unchanged_by("memory_limit_bytes", 1'000'000'000));
  EXPECT_TRUE(unchanged_by("data", "phantom"));
  EXPECT_TRUE(unchanged_by("threads", 1));
  EXPECT_FALSE(unchanged_by("filters_of_another_name", 1)) << "this peak would be seen";
}

TEST(Claims, CountsAreExact) {
  Evidence evidence = example_evidence();
  const auto finding = [&] {
    return judge(claim_of("parameters"), recorded(3.4, 1), evidence).at(0);
  };
  EXPECT_EQ(finding().verdict, Verdict::holds);
  evidence.model["parameters"] = 5650802;
  EXPECT_EQ(finding().verdict, Verdict::does_not_hold);
  EXPECT_EQ(exit_code(std::vector{finding()}), ExitCode::answer_is_no);
}

TEST(Claims, AnotherMachinesSecondsAreNotTestedAndSayWhatCanBeSaid) {
  Report report = recorded(3.4, 1.0);
  const auto finding = [&] {
    return judge(claim_of("seconds-per-image"), report, example_evidence()).at(0);
  };
  EXPECT_EQ(finding().verdict, Verdict::not_tested);
  EXPECT_THAT(finding().here,
              HasSubstr("tensorflow-onednn: 12.7 s, in proportion from 0.402 s at 64x64x64 b2"));
  EXPECT_EQ(finding().paper, "30 s per image");
  EXPECT_THAT(finding().remark, HasSubstr("94.2 GFLOP/s of nominal work, 0.74% of its peak"));
  EXPECT_THAT(finding().remark, HasSubstr("limit was not measured"));
  // As a run writes them: an entry per number of threads.
  std::vector<MachineLimits>& limits = report.header.limits.machine.emplace(2);
  limits[0].threads = 1;
  limits[0].fp32_flops_per_second = 1e11;
  limits[1].threads = 2;
  limits[1].fp32_flops_per_second = 4.45e11;
  EXPECT_THAT(finding().remark, HasSubstr("here 222 GFLOP/s, 50% of what 2 threads do at most"));
  limits[1].fp32_flops_per_second = 1.45e11;
  EXPECT_THAT(finding().remark,
              HasSubstr("153% of what 2 threads do at most by the direct algorithm (Winograd's"));
  // What did not fit is said.
  Record larger = example_failure("tensorflow-onednn", 0, Outcome::infeasible, "needs 9 TB");
  larger.spec["image"] = {240, 240, 144};
  report.records.push_back(larger);
  EXPECT_THAT(finding().remark, HasSubstr("240x240x144 b2: needs 9 TB"));
}

Json training_of(int scans) {
  const Json options = {{"preset", "whitepaper"},
                        {"image", {240, 240, 144}},
                        {"batch", 16},
                        {"channels", 1},
                        {"classes", 1},
                        {"filters", 16},
                        {"augment", true},
                        {"tile", false},
                        {"downsample", 1},
                        {"steps_per_epoch", 0}};
  const Json mean = {{"accuracy", 0.9965}, {"loss", 0.3}, {"hard_dice", {0.82}}};
  return {{"options", options},
          {"data", {{"kind", "decathlon"}}},
          {"cases", {{"training", scans - 78}, {"validation", 32}, {"test", 46}}},
          {"epochs", std::vector<int>(25)},
          {"end", "done"},
          {"test", {{"mean", mean}}}};
}

TEST(Claims, ATrainingRunIsJudgedWhereItIsThePapers) {
  Evidence evidence = example_evidence();
  const auto finding = [&](const std::string& id) {
    return judge(claim_of(id), recorded(3.4, 1), evidence).at(0);
  };
  EXPECT_EQ(finding("accuracy").verdict, Verdict::not_tested);
  EXPECT_THAT(finding("accuracy").remark, HasSubstr("takes 25 epochs"));
  evidence.training = training_of(484);
  EXPECT_EQ(finding("accuracy").verdict, Verdict::holds);
  EXPECT_EQ(finding("loss").verdict, Verdict::more);
  EXPECT_EQ(finding("dice").verdict, Verdict::holds);
  evidence.training = training_of(484);
  evidence.training["options"]["image"] = {128, 128, 128};
  EXPECT_EQ(finding("dice").verdict, Verdict::not_tested);
  evidence.training = training_of(100);
  EXPECT_EQ(finding("dice").verdict, Verdict::not_tested);
  EXPECT_EQ(finding("dice").remark, "100 scans, the BraTS data set has 484");
}

TEST(Claims, ScoresThatARunDoesNotHaveAreNoFault) {
  Evidence evidence = example_evidence();
  const auto finding = [&] {
    return judge(claim_of("surface-distance"), recorded(3.4, 1), evidence).at(0);
  };
  EXPECT_EQ(finding().verdict, Verdict::not_tested);
  evidence.training = training_of(484);
  EXPECT_EQ(finding().remark, "the training report has no surface_dice");
  evidence.training["test"]["mean"]["surface_dice"] = {nullptr, 0.9, 0.8};
  EXPECT_THAT(finding().here, HasSubstr("0.85"));
  EXPECT_EQ(finding().verdict, Verdict::not_tested) << "the paper has no figure";
  evidence.training["test"]["mean"]["surface_dice"] = {nullptr};
  EXPECT_EQ(finding().here, kNoFigure);
}

TEST(Claims, ATrainingRunOfOtherDataOrOptionsIsNotThePapers) {
  const auto finding = [](const char* part, const char* key, const Json& value) {
    Evidence evidence = example_evidence();
    evidence.training = training_of(484);
    evidence.training[part][key] = value;
    const Finding found = judge(claim_of("dice"), recorded(3.4, 1), evidence).at(0);
    EXPECT_EQ(found.verdict, Verdict::not_tested) << key;
    return found.remark;
  };
  EXPECT_EQ(finding("data", "kind", "phantom"), "data: phantom, not the BraTS data set");
  EXPECT_THAT(finding("options", "classes", 3), HasSubstr("classes 3, the paper's is 1"));
  EXPECT_THAT(finding("options", "tile", true), HasSubstr("tile true, the paper's is false"));
  EXPECT_THAT(finding("options", "levels", 3), HasSubstr("levels 3, the paper's is 5"));
  EXPECT_THAT(finding("options", "downsample", 2), HasSubstr("downsample 2, the paper's is 1"));
}

}  // namespace
}  // namespace voxmark

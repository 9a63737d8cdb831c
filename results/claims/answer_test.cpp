#include "results/claims/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "results/claims/example_claims.h"

namespace voxmark {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

Answer answer_to(const Report& report, const Evidence& evidence = example_evidence()) {
  const Claims claims = whitepaper_claims();
  return answer_of(claims, report, judge(claims, report, evidence));
}

const ClaimRow& row_of(const Answer& answer, const std::string& id) {
  const auto found =
      std::ranges::find_if(answer.claims, [&](const ClaimRow& row) { return row.claim == id; });
  EXPECT_NE(found, answer.claims.end()) << id;
  return *found;
}

TEST(Answer, SaysTheSpeedUpTheVerdictAndHowSureItIs) {
  Report report = recorded(7, 1.0);
  report.header.facts.reproduce = "quick";
  const Answer answer = answer_to(report);
  EXPECT_THAT(answer.lines[0], StartsWith("Speed-up here: 7.00x ("));
  EXPECT_THAT(answer.lines[0], HasSubstr("at 64x64x64 b2"));
  EXPECT_THAT(answer.lines[1], StartsWith("More than the paper's 3.4x: "));
  EXPECT_THAT(answer.lines[1], HasSubstr("3.91x"));
  // 240 * 240 * 144 * 16 over 64 * 64 * 64 * 2.
  EXPECT_THAT(answer.lines[2], AllOf(HasSubstr("240x240x144 batch 16, is 253 times as large"),
                                     HasSubstr("80 cores")));
  EXPECT_THAT(answer.lines[2], HasSubstr("voxmark reproduce"));
}

TEST(Answer, EachVerdictOfTheSpeedUpHasItsWord) {
  const auto verdict = [](double slow, double spread = 1.01) {
    return answer_to(recorded(slow, 1.0, spread)).lines[1];
  };
  EXPECT_THAT(verdict(3.4), HasSubstr("holds: the whole range lies between 2.89x and 3.91x"));
  EXPECT_THAT(verdict(2),
              HasSubstr("Less than the paper's 3.4x: the whole range lies below 2.89x"));
  EXPECT_THAT(verdict(0.9), HasSubstr("does not hold: oneDNN is no faster"));
  EXPECT_THAT(verdict(3.4, 1.5), HasSubstr("open. It holds from 2.89x to 3.91x"));
}

TEST(Answer, WhatIsOpenIsSettledByWhatWasLeftOutThenByMore) {
  Report report = recorded(3.4, 1.0, 1.5);
  report.header.facts.reproduce = "quick";
  report.header.facts.budget_seconds = 600;
  const auto line = [&] { return answer_to(report).lines[2]; };
  EXPECT_EQ(line(),
            "Not sure yet: the range reaches beyond these. To settle it: voxmark reproduce");
  report.records.push_back(example_failure("onednn", 0, Outcome::skipped, "no time"));
  report.records.back().facts.beyond_budget = true;
  EXPECT_THAT(line(), HasSubstr("voxmark reproduce --quick --budget 1800"));
  report.header.facts.budget_seconds = 1800;
  EXPECT_THAT(line(), HasSubstr("--quick --budget 3600"));
  report.header.facts.reproduce = "full";
  EXPECT_THAT(line(), HasSubstr("voxmark reproduce --budget 10800"));
  report.records.pop_back();
  EXPECT_THAT(line(), HasSubstr("--repeats 10"));
  report.records.pop_back();
  EXPECT_THAT(line(), StartsWith("Not sure yet: a verdict takes 2 undisturbed processes of each."));
}

TEST(Answer, WithoutThePairItSaysHowToGetIt) {
  Report report = recorded(3.4, 1.0);
  for (int process : {0, 1}) {
    report.records[static_cast<std::size_t>(process)] =
        example_failure("tensorflow-stock", process, Outcome::skipped, "not installed (ci/peers)");
  }
  const Answer answer = answer_to(report);
  EXPECT_EQ(answer.lines[0], "Speed-up here: not measured.");
  EXPECT_THAT(answer.lines[1], HasSubstr("not tested: tensorflow-stock: skipped: not installed"));
  EXPECT_THAT(answer.lines[2], HasSubstr("ci/peers tensorflow"));
  EXPECT_EQ(answer.left_out, "Left out, 2 of 4 runs: 2: not installed (ci/peers).");
}

TEST(Answer, WhatTheBudgetLeftOutIsOneLine) {
  Report report = recorded(7, 1.0);
  report.header.facts.reproduce = "quick";
  report.header.facts.budget_seconds = 600;
  for (const int seconds : {60, 70}) {
    report.records.push_back(example_failure("onednn", seconds, Outcome::skipped,
                                             std::to_string(seconds) + " s are not left"));
    report.records.back().facts.beyond_budget = true;
  }
  EXPECT_EQ(answer_to(report).left_out,
            "Left out, 2 of 6 runs: 2 for lack of time (voxmark reproduce --quick --budget 1800 "
            "goes on).");
  EXPECT_THAT(answer_to(recorded(7, 1.0)).left_out, IsEmpty());
}

TEST(Answer, EveryClaimOfThePaperHasOneRowWithItsPlaceAndAVerdict) {
  const Answer answer = answer_to(recorded(7, 1.0));
  std::set<std::string> rows, claims;
  for (const ClaimRow& row : answer.claims) {
    EXPECT_TRUE(rows.insert(row.claim).second) << row.claim << " twice";
    EXPECT_THAT(row.title, Not(IsEmpty()));
    EXPECT_THAT(row.place, Not(IsEmpty()));
    const std::set<std::string> words = {"holds",         "more", "less",
                                         "does not hold", "open", "not tested"};
    EXPECT_TRUE(words.contains(row.verdict)) << row.verdict;
    if (row.verdict == "not tested") {
      EXPECT_THAT(row.here, Not(IsEmpty())) << row.claim << ": without a reason";
    }
  }
  for (const Json& claim : whitepaper_claims().claims) {
    if (!claim.value("derived", false)) {
      claims.insert(claim.at("id").get<std::string>());
    }
  }
  EXPECT_EQ(rows, claims);
}

TEST(Answer, ALargerOrSmallerFigureOfAnotherClaimDoesNotHold) {
  Report report = example_report();
  report.records = {measured("onednn", 0, 1, 32), measured("onednn", 0, 1, 64),
                    measured("onednn", 0, 1, 96)};
  const Answer answer = answer_to(report);
  EXPECT_EQ(row_of(answer, "memory-terabyte").verdict, "does not hold");
  EXPECT_THAT(row_of(answer, "memory-terabyte").here, StartsWith("onednn: "));
  EXPECT_EQ(row_of(answer, "memory-128").verdict, "does not hold");
  EXPECT_THAT(row_of(answer, "memory-128").here, HasSubstr(", fits"));
  EXPECT_EQ(row_of(answer, "memory-240").verdict, "holds");
  EXPECT_EQ(row_of(answer, "activations").verdict, "holds");
  EXPECT_EQ(row_of(answer, "orders-of-magnitude").here, "47 to 188 times, by division");
  EXPECT_EQ(row_of(answer, "orders-of-magnitude").verdict, "does not hold");
}

TEST(Answer, ImagesThatAreTooSmallTellNoMemory) {
  Report report = example_report();
  report.records = {measured("onednn", 0, 1, 16), measured("onednn", 0, 1, 32),
                    measured("onednn", 0, 1, 48)};
  const ClaimRow row = row_of(answer_to(report), "memory-terabyte");
  EXPECT_EQ(row.verdict, "open");
  EXPECT_THAT(row.here, HasSubstr("48x48x48 b2 is too small to tell"));
}

TEST(Answer, HoursAreInProportionToVoxels) {
  const ClaimRow row = row_of(answer_to(recorded(7, 1.0)), "training-hours");
  EXPECT_EQ(row.paper, "85 h");
  EXPECT_EQ(row.verdict, "not tested");
  // 25 * 406 images of 8294400 voxels at 0.80 s per 2 * 64^3, the example's forward and backward.
  EXPECT_THAT(row.here, StartsWith("tensorflow-onednn: 35.9 h; another server"));
}

TEST(Answer, TheFrameworksPoolsAreReadFromItsRecords) {
  Report report = recorded(7, 1.0);
  EXPECT_EQ(row_of(answer_to(report), "settings").verdict, "not tested");
  for (Record& record : report.records) {
    record.details["execution"] = {{"intra_op_threads", record.spec.at("threads")},
                                   {"inter_op_threads", 1}};
  }
  EXPECT_EQ(row_of(answer_to(report), "settings").verdict, "holds");
  for (Record& record : report.records) {
    record.details["execution"]["inter_op_threads"] = 2;
  }
  EXPECT_EQ(row_of(answer_to(report), "settings").verdict, "does not hold");
}

Json tricks_of(std::vector<double> full, std::vector<double> tiles) {
  const auto trick = [](const char* name, const std::vector<double>& values) {
    Json runs = Json::array();
    for (const double dice : values) {
      runs.push_back({{"test_dice", dice}});
    }
    return Json{{"trick", name}, {"runs", std::move(runs)}};
  };
  return {{"data", "phantom:40"},
          {"epochs", 51},
          {"tricks", {trick("full images", full), trick("tiles", tiles)}}};
}

TEST(Answer, TricksAreJudgedBySeeds) {
  Evidence evidence = example_evidence();
  const auto verdict = [&](const char* claim = "tricks") {
    return row_of(answer_to(recorded(7, 1.0), evidence), claim).verdict;
  };
  EXPECT_EQ(verdict(), "not tested");
  evidence.tricks = tricks_of({0.8, 0.82}, {0.7, 0.79});
  EXPECT_EQ(verdict(), "holds");
  EXPECT_EQ(verdict("small-batch"), "open") << "neither of its tricks was tried";
  evidence.tricks = tricks_of({0.8, 0.82}, {0.7, 0.81});
  EXPECT_EQ(verdict(), "holds") << "none is better";
  evidence.tricks = tricks_of({0.8, 0.82}, {0.9, 0.91});
  EXPECT_EQ(verdict(), "does not hold");
  evidence.tricks["warning"] = "too few steps";
  EXPECT_EQ(verdict(), "open");
  evidence.tricks = tricks_of({0.8}, {0.7});
  EXPECT_EQ(verdict(), "open") << "one seed is no sample";
  evidence.tricks = tricks_of({0.8, 0.82}, {0.7, 0.71});
  evidence.tricks["tricks"][1]["runs"][0]["test_dice"] = nullptr;  // it diverged
  EXPECT_EQ(verdict(), "open");
  evidence.tricks = tricks_of({0.8, 0.82}, {0.7, 0.79});
  evidence.tricks["tricks"][1]["trick"] = "small batch";
  EXPECT_EQ(verdict("small-batch"), "holds");
  evidence.tricks["tricks"][1]["runs"][1]["test_dice"] = 0.81;
  EXPECT_EQ(verdict("small-batch"), "open") << "an impact is claimed";
}

// The paper's memory was taken with the contender: its line decides, be it open, and stock
// TensorFlow's only where there is none.
TEST(Answer, TheProgramThatThePaperTrainedWithDecidesARow) {
  Report report = example_report();
  const auto add = [&](const char* backend, std::vector<std::int64_t> extents) {
    for (const std::int64_t extent : extents) {
      report.records.push_back(measured(backend, 0, 1, extent));
    }
  };
  add("onednn", {64, 96, 128});
  EXPECT_THAT(row_of(answer_to(report), "memory-240").here, StartsWith("onednn: "));
  add("tensorflow-stock", {64, 96, 128});
  EXPECT_THAT(row_of(answer_to(report), "memory-240").here, StartsWith("tensorflow-stock: "));
  add("tensorflow-onednn", {16, 32, 48});
  const ClaimRow row = row_of(answer_to(report), "memory-240");
  EXPECT_THAT(row.here, StartsWith("tensorflow-onednn: 48x48x48 b2 is too small"));
  EXPECT_EQ(row.verdict, "open");
}

TEST(Answer, TwoSizesLeaveAShareOpen) {
  Report report = example_report();
  report.records = {measured("onednn", 0, 1, 96), measured("onednn", 0, 1, 128)};
  EXPECT_EQ(row_of(answer_to(report), "activations").verdict, "open");
}

TEST(Answer, ManyReasonsForLeavingOutBecomeFew) {
  Report report = recorded(7, 1.0);
  for (const char* reason : {"a", "b", "c", "d", "e", "f", "f"}) {
    report.records.push_back(example_failure("onednn", 0, Outcome::skipped, reason));
  }
  EXPECT_EQ(answer_to(report).left_out,
            "Left out, 7 of 11 runs: 1: a; 1: b; 1: c; 1: d; 1: e; 2 for other reasons.");
}

TEST(Answer, NoLineIsWiderThanTheTerminal) {
  const Answer answer = answer_to(recorded(7, 1.0));
  for (const std::size_t columns : {60U, 80U, 100U, 140U}) {
    std::size_t start = 0;
    const std::string text = render_text(answer, columns);
    EXPECT_THAT(text, HasSubstr("not tested"));
    for (std::size_t end = text.find('\n'); end != std::string::npos;
         start = end + 1, end = text.find('\n', start)) {
      EXPECT_LE(end - start, columns) << text.substr(start, end - start);
    }
  }
}

TEST(Answer, TheReportAndMarkdownHaveTheSameWords) {
  const Answer answer = answer_to(recorded(7, 1.0));
  const std::string json = dump_json(to_json(answer), 1);
  const std::string markdown = render_markdown(answer);
  for (const ClaimRow& row : answer.claims) {
    EXPECT_THAT(json, HasSubstr(dump_json(Json(row.here))));
    EXPECT_THAT(markdown, HasSubstr(row.here));
  }
  EXPECT_THAT(markdown, StartsWith(answer.lines[0]));
}

}  // namespace
}  // namespace voxmark

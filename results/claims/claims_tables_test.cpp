#include "results/claims/claims_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "results/claims/example_claims.h"

namespace voxmark {
namespace {

using testing::HasSubstr;

Report with_the_whole_chain() {
  Report report = example_report();
  report.records.clear();
  const std::vector<std::pair<std::string, double>> chain = {
      {"tensorflow-stock", 12}, {"tensorflow-stock-tuned", 8}, {"eigen-tensor", 6}, {"eigen", 3},
      {"onednn-direct", 1.5},   {"tensorflow-onednn", 2}};
  for (const auto& [backend, seconds] : chain) {
    for (int process : {0, 1}) {
      report.records.push_back(measured(backend, process, seconds * (1 + 0.01 * process)));
    }
  }
  return report;
}

TEST(ClaimsTables, EveryFindingHasARowInOneOfTwoTables) {
  const auto findings = judge(whitepaper_claims(), with_the_whole_chain(), example_evidence());
  EXPECT_EQ(findings_table(findings).rows.size() + derived_table(findings).rows.size(),
            findings.size());
  for (const auto& row : derived_table(findings).rows) {
    for (const std::string& cell : row) {
      EXPECT_EQ(cell.find("3.4x"), std::string::npos) << "a claim in the paper's mouth";
    }
  }
}

TEST(ClaimsTables, TheLinksMultiplyToTheWhole) {
  const Factors chain = factors(whitepaper_claims(), with_the_whole_chain());
  EXPECT_EQ(chain.shape, "64x64x64 b2");
  ASSERT_EQ(chain.table.rows.size(), 5U + 2U);
  EXPECT_THAT(chain.table.rows[0][2], HasSubstr("1.50x"));
  EXPECT_EQ(chain.table.rows[5][0], "all links multiplied");
  for (std::size_t clock : {2U, 3U, 4U}) {
    EXPECT_DOUBLE_EQ(std::atof(chain.table.rows[5][clock].c_str()), 6);
    EXPECT_DOUBLE_EQ(std::atof(chain.table.rows[6][clock].c_str()), 6) << "end to end";
  }
}

TEST(ClaimsTables, AMissingLinkLeavesNoProduct) {
  Report report = with_the_whole_chain();
  std::erase_if(report.records,
                [](const Record& record) { return record.spec.at("backend") == "eigen"; });
  const Factors chain = factors(whitepaper_claims(), report);
  ASSERT_EQ(chain.table.rows.size(), 5U + 2U);
  EXPECT_EQ(chain.table.rows[5][2], "-");
  EXPECT_THAT(chain.table.rows[6][2], HasSubstr("6.00x"));
  std::erase_if(report.records, [](const Record& record) {
    return record.spec.at("backend") == "tensorflow-stock";
  });
  EXPECT_TRUE(factors(whitepaper_claims(), report).table.rows.empty());
}

TEST(ClaimsTables, CostsAreApartByInstructionSetAndTellConvolutionsFromTheRest) {
  Report report = recorded(3.4, 1.0);
  for (std::size_t i : {0U, 1U}) {
    report.records[i].facts.probes.emplace().observed_step = ObservedStep{2.5, 0.5};
  }
  Record capped = measured("onednn", 0, 2);
  capped.spec["isa"] = "avx2";
  report.records.push_back(capped);
  const Table costs = cost_table(report, "64x64x64 b2");
  ASSERT_EQ(costs.rows.size(), 3U);
  EXPECT_EQ(costs.rows[0][1], "all");
  EXPECT_EQ(costs.rows[0][5], "2.50");
  EXPECT_EQ(costs.rows[0][6], "0.500");
  EXPECT_EQ(costs.rows[1][5], "-");
  EXPECT_EQ(costs.rows[2][1], "avx2");
  EXPECT_TRUE(cost_table(report, "96x96x96 b2").rows.empty());
}

TEST(ClaimsTables, PlannedAndMeasuredBytesStandSideBySideForEverySize) {
  Report report = example_report();
  report.records = {measured("onednn", 0, 1, 32), measured("onednn", 0, 1, 64)};
  const Table plans = plan_table(report);
  ASSERT_EQ(plans.rows.size(), 2U);
  EXPECT_EQ(plans.rows[1][1], "64x64x64 b2");
  EXPECT_EQ(plans.rows[1][2], "0.524 GB");
  EXPECT_EQ(plans.rows[1][4], "1.52 GB");
  EXPECT_EQ(plans.rows[1][5], "1.00");
}

TEST(ClaimsTables, ThePapersTableTwoHasIntervals) {
  Report report = example_report();
  report.records = {measured("onednn", 0, 1, 32), measured("onednn", 0, 1, 64)};
  EXPECT_THAT(memory_table(memory_lines(report), table_2(whitepaper_claims())).rows.at(0).at(3),
              HasSubstr("undecided"));
  report.records.push_back(measured("onednn", 0, 1, 96));
  report.records[1].memory.peak_bytes = *report.records[1].memory.peak_bytes + 1'000'000;
  const auto row = memory_table(memory_lines(report), table_2(whitepaper_claims())).rows.at(0);
  EXPECT_THAT(row[2], HasSubstr("3 sizes"));
  EXPECT_THAT(row[3], HasSubstr(".."));
  EXPECT_THAT(row[3], HasSubstr(": fits"));
}

TEST(ClaimsTables, MarkdownHasEveryPart) {
  const Report report = with_the_whole_chain();
  const Claims claims = whitepaper_claims();
  const auto findings = judge(claims, report, example_evidence());
  const std::string text = render_details(
      claims, report, findings, [](const Table& table) { return render_markdown(table); });
  for (const char* part : {"the paper says", "by other pairs", "link by link, at 64x64x64 b2",
                           "convolutions", "figures 3 and 5"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

}  // namespace
}  // namespace voxmark

#include "results/tables/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "results/example_record.h"
#include "results/tables/case_table.h"

namespace voxmark {
namespace {

TEST(Table, AlignsText) {
  const Table table = {{{"name", Align::left}, {"s", Align::right}, {"note", Align::left}},
                       {{"na\u00efve", "12.5", "a\nb"}, {"x", "3", ""}}};
  EXPECT_EQ(render_text(table),
            "name      s  note\n"
            "-----  ----  ----\n"
            "na\u00efve  12.5  a b\n"
            "x         3\n");
}

TEST(Table, AlignsMarkdownAndEscapesPipes) {
  const Table table = {{{"name", Align::left}, {"s", Align::right}},
                       {{"a|b", "12.5"}, {"x\ty", "3"}}};
  EXPECT_EQ(render_markdown(table),
            "| name |    s |\n"
            "|------|-----:|\n"
            "| a\\|b | 12.5 |\n"
            "| x y  |    3 |\n");
}

// The longest line, in code points.
std::size_t longest_line(const std::string& text) {
  std::size_t longest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto points = std::ranges::count_if(
        line, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; });
    longest = std::max(longest, static_cast<std::size_t>(points));
  }
  return longest;
}

TEST(Table, MovesWhatDoesNotDecideBelowItsRow) {
  const Table table = {
      {{"name", Align::left},
       {"s", Align::right},
       {"spread", Align::left, true},
       {"note", Align::left, true}},
      {{"na\u00efve", "12.5", "12..13", "one two three four"}, {"x", "3", "-", ""}}};
  EXPECT_EQ(render_within(table, 100), render_text(table));
  EXPECT_EQ(render_within(table, 20),
            "name      s  spread\n"
            "-----  ----  ------\n"
            "na\u00efve  12.5  12..13\n"
            "    note: one two\n"
            "    three four\n"
            "x         3  -\n");
  EXPECT_EQ(render_within(table, 18),
            "name      s\n"
            "-----  ----\n"
            "na\u00efve  12.5\n"
            "    spread:\n"
            "    12..13; note:\n"
            "    one two three\n"
            "    four\n"
            "x         3\n");
}

TEST(CaseTable, IsUsableInANarrowTerminal) {
  std::vector<Record> records;
  for (int process = 0; process < 5; ++process) {
    records.push_back(example_record("onednn", process, 0.25 + 0.001 * process));
    records.push_back(example_record("eigen-tensor", process, 1.0 + 0.001 * process));
  }
  records.push_back(example_failure("tensorflow-onednn", 0, Outcome::skipped,
                                    "its package is not installed in this environment"));
  const Table table = case_table(summarise(records), "eigen-tensor");
  ASSERT_GT(longest_line(render_text(table)), 100U);
  for (const std::size_t terminal_columns : {60U, 80U, 100U}) {
    const std::string text = render_within(table, terminal_columns);
    EXPECT_LE(longest_line(text), std::max<std::size_t>(terminal_columns, 75)) << text;
    EXPECT_NE(text.find("note: skipped: its package is not"), std::string::npos) << text;
  }
}

TEST(CaseTable, ShowsFiguresSpeedUpsAndReasons) {
  const std::vector<Record> records = {
      example_record("naive", 0, 1.0), example_record("onednn", 0, 0.25),
      example_record("naive", 1, 1.5), example_record("onednn", 1, 0.2),
      example_failure("eigen", 0, Outcome::skipped, "not built")};
  const std::vector<CaseSummary> cases = summarise(records);
  // clang-format off
  EXPECT_EQ(render_text(case_table(cases, "naive")),
R"(backend     image  batch  step s  spread                        fwd+bwd s/image  GFLOP/s  planned  peak memory  fwd+bwd vs naive    note
-------  --------  -----  ------  ----------------------------  ---------------  -------  -------  -----------  ------------------  ------------------
naive    64x64x64      2   1.250  1.000..1.500 (2 processes)             0.5000      143   1000 B     1.37 KiB  baseline
onednn   64x64x64      2  0.2250  0.2000..0.2500 (2 processes)          0.09000      794   1000 B     1.37 KiB  5.56x (4.00..7.50)
eigen    64x64x64      2       -  -                                           -        -        -            -  -                   skipped: not built
)");
  // clang-format on
  const Table without = case_table(cases, std::nullopt);
  EXPECT_EQ(without.columns.size(), case_table(cases, "naive").columns.size() - 1);
}

// Steps of one process share its luck: how far they lie apart tells nothing of the ratio.
TEST(CaseTable, ShowsNoRangeOfTheSpeedUpOfOneProcess) {
  const std::vector<Record> records = {example_record("naive", 0, 1.0),
                                       example_record("naive", 1, 2),
                                       example_record("onednn", 0, 0.25)};
  const Table table = case_table(summarise(records), "naive");
  const auto column = std::ranges::find(table.columns, "fwd+bwd vs naive", &Column::header);
  ASSERT_NE(column, table.columns.end());
  EXPECT_EQ(table.rows[1][static_cast<std::size_t>(column - table.columns.begin())],
            "6.00x (one process)");
}

TEST(CaseTable, ShowsTheShareOfTheRooflineWhereTheLimitsWereMeasured) {
  std::vector<Record> records = {example_record("naive", 0, 1.0),
                                 example_record("onednn", 0, 0.25)};
  records[1].facts.roofline = {0.1, {}, {}, {}};
  records[0].facts.roofline = {{}, {}, {}, "not measured"};
  const Table table = case_table(summarise(records), std::nullopt);
  const auto column = std::ranges::find(table.columns, "of roofline", &Column::header);
  ASSERT_NE(column, table.columns.end());
  const auto index = static_cast<std::size_t>(column - table.columns.begin());
  EXPECT_EQ(table.rows[0][index], "-");
  EXPECT_EQ(table.rows[1][index], "40%");
}

// JSON leaves out the ranks of one.
TEST(CaseTable, CountsTheImagesOfAllRanks) {
  Record shared = example_record("naive", 0, 1.0);
  shared.spec["ranks"] = 4;
  const Table table =
      case_table(summarise(std::vector{example_record("naive", 0, 1.0), shared}), std::nullopt);
  ASSERT_EQ(table.columns[3].header, "ranks");
  EXPECT_EQ(table.rows[0][3], "1");
  EXPECT_EQ(table.rows[1][3], "4");
  const auto per_image = std::ranges::find(table.columns, "fwd+bwd s/image", &Column::header);
  ASSERT_NE(per_image, table.columns.end());
  const auto index = static_cast<std::size_t>(per_image - table.columns.begin());
  EXPECT_EQ(table.rows[0][index], "0.4000");  // 0.8 s, 2 images
  EXPECT_EQ(table.rows[1][index], "0.1000");  // 8 images
}

TEST(CaseTable, HasAColumnForWhatDiffers) {
  Record other = example_record("naive", 0);
  other.spec["precision"] = "fp64";
  const Table table =
      case_table(summarise(std::vector{example_record("naive", 0), other}), std::nullopt);
  EXPECT_EQ(table.columns[3].header, "precision");
  EXPECT_EQ(table.rows[0][3], "fp32");
  EXPECT_EQ(table.rows[1][3], "fp64");
  EXPECT_EQ(table.columns[4].header, "step s");
}

TEST(CaseTable, TellsMemoryLimitsApart) {
  Record limited = example_record("onednn", 0);
  limited.spec["memory_limit_bytes"] = 1'610'612'736;
  const Table table =
      case_table(summarise(std::vector{example_record("onednn", 0), limited}), std::nullopt);
  EXPECT_EQ(table.columns[3].header, "memory limit");
  EXPECT_EQ(table.rows[0][3], "-");
  EXPECT_EQ(table.rows[1][3], "1.50 GiB");
}

TEST(CaseTable, ShowsTheEfficiencyOfMoreThreads) {
  Record one = example_record("naive", 0, 1.0), four = example_record("naive", 0, 0.5);
  one.spec["threads"] = 1;
  four.spec["threads"] = 4;
  const Table table = case_table(summarise(std::vector{one, four}), std::nullopt);
  const auto column = std::ranges::find(table.columns, "vs fewest threads", &Column::header);
  ASSERT_NE(column, table.columns.end());
  const auto index = static_cast<std::size_t>(column - table.columns.begin());
  EXPECT_EQ(table.columns.at(index + 1).header, "efficiency");
  EXPECT_EQ(table.rows[0][index], "1.00x");
  EXPECT_EQ(table.rows[0][index + 1], "100%");
  EXPECT_EQ(table.rows[1][index], "2.00x");
  EXPECT_EQ(table.rows[1][index + 1], "50%");
}

TEST(CaseTable, IsEmptyWithoutCases) { EXPECT_TRUE(case_table({}, "naive").rows.empty()); }

}  // namespace
}  // namespace voxmark

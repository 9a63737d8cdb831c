#include "results/claims/generations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/claims/example_claims.h"

namespace voxmark {
namespace {

using testing::HasSubstr;

TEST(Generations, StandAtTheShapeThatMostOfThemHave) {
  Report report = recorded(3.4, 1.0);
  EXPECT_EQ(generations(whitepaper_claims(), report).rows.size(), 2U);
  for (int process : {0, 1}) {
    report.records.push_back(measured("tensorflow-stock-2018", process, 6.8));
    report.records.push_back(measured("onednn", process, 0.5));
    report.records.push_back(measured("onednn", process, 4, 128));
    report.records.push_back(measured("tensorflow-stock", process, 27, 128));
  }
  const Generations found = generations(whitepaper_claims(), report);
  const Table table = generations_table(found);
  EXPECT_EQ(found.shape, "64x64x64 b2");
  ASSERT_EQ(table.rows.size(), 4U);
  EXPECT_EQ(table.rows[0][0], "tensorflow-stock-2018");
  EXPECT_EQ(table.rows[0][3], "1");
  EXPECT_THAT(table.rows[1][3], HasSubstr("1.99x"));
  EXPECT_THAT(table.rows[3][3], HasSubstr("13.6"));
  EXPECT_EQ(table.rows[3][4], "7");
  EXPECT_EQ(table.rows[3][5], "2907") << "1 GB and 1000 bytes for each of 524288 voxels";
  // On fewer threads it is another setting.
  for (Record& record : report.records) {
    if (record.spec.at("backend") == "onednn") {
      record.spec["threads"] = 1;
    }
  }
  EXPECT_EQ(generations(whitepaper_claims(), report).rows.size(), 3U);
  report.records.resize(1);
  EXPECT_TRUE(generations(whitepaper_claims(), report).rows.empty());
}

}  // namespace
}  // namespace voxmark

#include "benches/machine/environment_changes.h"

#include <gtest/gtest.h>

namespace voxmark {
namespace {

// The same examples bind voxmark_reports/differences.py.
TEST(EnvironmentChanges, AgreeWithTheExamplesThatPythonReadsToo) {
  const Json examples =
      read_json_file(VOXMARK_SOURCE_DIR "/results/environment_changes_examples.json");
  ASSERT_FALSE(examples.empty());
  for (const Json& example : examples) {
    Json told = Json::array();
    for (const Json& change : environment_changes(example.at("before"), example.at("after"))) {
      told.push_back(change_text(change));
    }
    EXPECT_EQ(told, example.at("told")) << example.at("name");
  }
}

TEST(EnvironmentChanges, NameTheLeafWithBothValues) {
  const Json before = {{"cpu", {{"caches", {{{"level", "3"}, {"size", "32768K"}}}}}}};
  Json after = before;
  after["cpu"]["caches"][0]["size"] = "16384K";
  EXPECT_EQ(
      environment_changes(before, after),
      Json::array({{{"fact", "cpu.caches.0.size"}, {"before", "32768K"}, {"after", "16384K"}}}));
}

TEST(EnvironmentChanges, OfOddEnvironmentsAreChangesToo) {
  EXPECT_EQ(environment_changes(Json(), Json()).size(), 0U);
  EXPECT_EQ(environment_changes({{"cpu", "x"}}, {{"cpu", {{"online", 2}}}}).size(), 2U);
}

}  // namespace
}  // namespace voxmark

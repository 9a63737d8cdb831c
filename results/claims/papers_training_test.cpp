#include "results/claims/papers_training.h"

#include <gtest/gtest.h>

#include "results/example_training_report.h"

namespace voxmark {
namespace {

TEST(PapersTraining, ItsFiguresStandBesideARunOfThePapersOnly) {
  const Json claims = {
      {{"id", "parameters"}, {"kind", "count"}, {"value", 5650801}},
      {{"id", "dice"}, {"kind", "training"}, {"quantity", "hard_dice"}, {"value", 0.82}},
      {{"id", "loss"}, {"kind", "training"}, {"quantity", "loss"}, {"value", 0.125}}};
  Json report = example_training_report();
  Json& options = report["options"];
  options["preset"] = "whitepaper";
  options["image"] = {240, 240, 144};
  options["batch"] = 16;
  options["classes"] = 1;
  options["filters"] = 16;
  report["data"]["kind"] = "decathlon";
  report["cases"] = {{"training", 406}, {"validation", 32}, {"test", 46}};
  const Json epoch = report["epochs"][0];
  for (int i = 1; i < 25; ++i) {
    report["epochs"].push_back(epoch);
  }
  report["test"] = {{"mean", example_scores(0.25)}, {"cases", Json::array()}};
  EXPECT_EQ(paper_figures(report, claims),
            Json({{{"figure", "dice"}, {"paper", 0.82}, {"measured", 0.625}},
                  {{"figure", "loss"}, {"paper", 0.125}, {"measured", 0.25}}}));

  const auto changed = [&](const char* part, const char* key, const Json& value) {
    Json other = report;
    other[part][key] = value;
    return paper_figures(other, claims);
  };
  EXPECT_TRUE(changed("data", "kind", "phantom").is_null());
  EXPECT_TRUE(changed("options", "preset", nullptr).is_null());
  EXPECT_TRUE(changed("options", "image", {16, 16, 16}).is_null());
  EXPECT_TRUE(changed("options", "augment", false).is_null());
  EXPECT_TRUE(changed("options", "steps_per_epoch", 1).is_null());
  EXPECT_TRUE(changed("cases", "test", 45).is_null());
  Json other = report;
  other["epochs"].push_back(epoch);
  EXPECT_TRUE(paper_figures(other, claims).is_null());
  other = report;
  other["epochs"].erase(0);
  EXPECT_TRUE(paper_figures(other, claims).is_null());
  other = report;
  other["test"] = nullptr;
  EXPECT_TRUE(paper_figures(other, claims).is_null());
}

}  // namespace
}  // namespace voxmark

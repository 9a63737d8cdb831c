#include "results/training_report.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace voxmark {
namespace {

Json example_scores(double loss) {
  return {{"loss", loss},
          {"accuracy", 0.75},
          {"soft_dice", {0.5, 0.25}},
          {"hard_dice", {0.625, 0.375}},
          {"whole_dice", nullptr}};
}

Json example_training_report() {
  const Json epoch = {{"epoch", 1},
                      {"images", 10},
                      {"seconds", 5.5},
                      {"seconds_per_image", 0.55},
                      {"waiting_seconds", 0.0},
                      {"waiting_share", 0.0},
                      {"validation_seconds", 1.5},
                      {"validation_waiting_seconds", 0.25},
                      {"training", example_scores(0.25)},
                      {"validation", nullptr},
                      {"best", true},
                      {"step_losses", {0.5, 0.25}}};
  return {
      {"schema", kTrainingSchemaName},
      {"created", "2024-05-31T12:00:00Z"},
      {"voxmark", Json::object()},
      {"environment", Json::object()},
      {"options",
       {{"data", "phantom:8"},
        {"backend", "eigen"},
        {"precision", "fp32"},
        {"threads", 2},
        {"image", {16, 16, 16}},
        {"batch", 1},
        {"channels", 1},
        {"classes", 2},
        {"filters", 4},
        {"seed", 1},
        {"split_seed", 1},
        {"augment", true},
        {"tile", false},
        {"downsample", 1},
        {"steps_per_epoch", 0},
        {"epochs", 1},
        {"patience", 0},
        {"preset", nullptr}}},
      {"data", {{"kind", "phantom"}, {"name", "voxmark phantom"}, {"identity", "8 of 16x16x16"}}},
      {"cases", {{"training", 8}, {"validation", 0}, {"test", 0}}},
      {"forecast", nullptr},
      {"epochs", {epoch}},
      {"best_epoch", 1},
      {"end", "done"},
      {"test", nullptr},
      {"claims", nullptr},
      {"memory", {{"planned_bytes", 1000}, {"peak_bytes", nullptr}}}};
}

TEST(TrainingReport, ExampleIsValid) {
  EXPECT_NO_THROW(validate_training_report(example_training_report(), "example"));
}

TEST(TrainingReport, RefusesAnUnknownEndAndAShareAboveOne) {
  Json report = example_training_report();
  report["end"] = "tired";
  EXPECT_THROW(validate_training_report(report, "example"), Error);
  report = example_training_report();
  report["epochs"][0]["waiting_share"] = 1.5;
  EXPECT_THROW(validate_training_report(report, "example"), Error);
}

TEST(TrainingReport, CsvHasALinePerEpochAndGapsWhereNothingIsKnown) {
  EXPECT_EQ(
      epochs_csv(example_training_report()),
      "epoch,best,images,seconds,seconds_per_image,waiting_seconds,waiting_share,"
      "validation_seconds,training_loss,training_accuracy,training_whole_dice,training_soft_dice_1,"
      "training_soft_dice_2,training_hard_dice_1,training_hard_dice_2,"
      "validation_loss,validation_accuracy,validation_whole_dice,validation_soft_dice_1,"
      "validation_soft_dice_2,validation_hard_dice_1,validation_hard_dice_2\n"
      "1,true,10,5.5,0.55,0.0,0.0,1.5,0.25,0.75,,0.5,0.25,0.625,0.375,,,,,,,\n");
}

TEST(TrainingReport, SetsThePapersFiguresBesideARunOfThePapersOnly) {
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

TEST(TrainingReport, StepsHaveALineEach) {
  EXPECT_EQ(steps_csv(example_training_report()), "epoch,step,loss\n1,1,0.5\n1,2,0.25\n");
}

}  // namespace
}  // namespace voxmark

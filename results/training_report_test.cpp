#include "results/training_report.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "results/example_training_report.h"

namespace voxmark {
namespace {

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

TEST(TrainingReport, TakesATestWithSurfacesAndOneOfAnEarlierVersionWithout) {
  Json report = example_training_report();
  Json scores = example_scores(0.25);
  const Json one = {{"name", "phantom 8"}, {"dims", {16, 16, 16}}, {"scores", scores}};
  report["test"] = {{"mean", scores}, {"cases", {one}}, {"tiled_for_memory", false}};
  EXPECT_NO_THROW(validate_training_report(report, "example"));
  scores["surface_dice"] = {0.5, nullptr};
  scores["whole_surface_dice"] = 0.5;
  report["test"]["surface_tolerance_mm"] = 1;
  report["test"]["mean"] = scores;
  report["test"]["cases"][0]["scores"] = scores;
  report["test"]["cases"][0]["spacing_mm"] = {1, 1, 2.5};
  EXPECT_NO_THROW(validate_training_report(report, "example"));
  report["test"]["mean"]["surface_dice"] = {0.5, 1.5};
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

TEST(TrainingReport, StepsHaveALineEach) {
  EXPECT_EQ(steps_csv(example_training_report()), "epoch,step,loss\n1,1,0.5\n1,2,0.25\n");
}

}  // namespace
}  // namespace voxmark

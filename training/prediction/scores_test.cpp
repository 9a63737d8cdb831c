#include "training/prediction/scores.h"

#include <gtest/gtest.h>

#include <cmath>

#include "backends/interpreter/executable_weights.h"
#include "backends/naive/naive.h"
#include "workloads/network/synthetic.h"
#include "workloads/network/weights.h"

namespace voxmark {
namespace {

TEST(ScoresOf, OneClassByHand) {
  // 2 x 1 x 2 voxels; (d, w) against NIfTI's x fastest: labels (0,0) (1,0) (0,1) (1,1).
  const std::vector<float> prediction = {0.9F, 0.2F, 0.6F, 0.1F};  // (0,0) (0,1) (1,0) (1,1)
  const std::vector<std::uint8_t> labels = {2, 0, 1, 0};
  const Scores scores = scores_of(prediction, 1, {2, 1, 2}, labels);
  // Truth at (0,0) and (0,1); predicted at (0,0) and (1,0).
  EXPECT_NEAR(scores.accuracy, 0.5, 1e-12);
  EXPECT_NEAR(scores.hard_dice.at(0), (2 + 1e-4) / (4 + 1e-4), 1e-7);
  EXPECT_NEAR(scores.soft_dice.at(0), (2 * 1.1 + 1e-4) / (2 + 1.8 + 1e-4), 1e-7);
  EXPECT_NEAR(scores.loss, -std::log(2 * (1.1 + 1e-4)) + std::log(3.8 + 1e-4), 1e-7);
  EXPECT_EQ(scores.whole_dice, scores.hard_dice.at(0));
}

TEST(ScoresOf, SeveralClassesLeaveBackgroundOutAndKnowTheWhole) {
  const std::vector<float> prediction = {0.7F, 0.2F, 0.1F, 0.1F, 0.3F, 0.6F,
                                         0.2F, 0.5F, 0.3F, 0.1F, 0.8F, 0.1F};
  const std::vector<std::uint8_t> labels = {0, 1, 1, 2};  // predicted: 0 2 1 1
  const Scores scores = scores_of(prediction, 3, {4, 1, 1}, labels);
  ASSERT_EQ(scores.hard_dice.size(), 2U);
  EXPECT_NEAR(scores.accuracy, 0.5, 1e-12);
  EXPECT_NEAR(scores.hard_dice[0], (2 + 1e-4) / (4 + 1e-4), 1e-7);
  EXPECT_NEAR(scores.hard_dice[1], 1e-4 / (2 + 1e-4), 1e-7);
  EXPECT_NEAR(scores.whole_dice.value(), 1, 1e-12);
}

TEST(ScoresOf, HasTheLossThatABackendComputes) {
  for (const std::int64_t classes : {1, 3}) {
    UnetOptions network;
    network.filters = 2;
    network.classes = classes;
    const Program program = lower(unet3d(network), 2, {16, 16, 16}, Mode::training);
    const auto executable = naive_backend().compile(program, {Precision::fp64, 2, {}});
    const Weights weights = initial_weights(program, 5);
    set_weights(*executable, program, weights);
    const Batch batch = synthetic_batch(2, {16, 16, 16}, 1, classes, 5, 0);
    executable->load(batch);
    const StepResult result = executable->run();
    const Scores scores = scores_of(result.sums, 2, program.dims.voxels());
    EXPECT_NEAR(scores.loss, result.loss, 1e-9) << classes;
    EXPECT_GT(scores.accuracy, 0);
    EXPECT_LE(scores.accuracy, 1);
    EXPECT_EQ(scores.hard_dice.size(), static_cast<std::size_t>(classes));
  }
}

TEST(HardLabels, LieInTheOrderOfNifti) {
  const std::vector<float> prediction = {0.9F, 0.2F, 0.6F, 0.1F};
  EXPECT_EQ(hard_labels(prediction, 1, {2, 1, 2}), (std::vector<std::uint8_t>{1, 1, 0, 0}));
}

TEST(ScoreMean, ComesBackFromItsStateBitByBit) {
  ScoreMean mean;
  mean.add({0.1, 0.7, {1.0 / 3}, {0.2}, 0.2});
  mean.add({0.2, 0.9, {1.0 / 7}, {0.4}, 0.4});
  ScoreMean again =
      ScoreMean::from_state(parse_json(dump_json(mean.state()), "a state as it is stored"));
  mean.add({0.3, 0.1, {1.0 / 9}, {0.6}, 0.6});
  again.add({0.3, 0.1, {1.0 / 9}, {0.6}, 0.6});
  EXPECT_EQ(to_json(mean.mean()), to_json(again.mean()));
  EXPECT_NEAR(mean.mean().hard_dice.at(0), 0.4, 1e-12);
}

TEST(ScoreMean, OfSurfacesIsOverTheCasesThatHaveAValue) {
  Scores first{0.1, 0.7, {0.5, 0.5}, {0.5, 0.5}, 0.5, {0.25, std::nullopt}, 0.75};
  Scores second{0.1, 0.7, {0.5, 0.5}, {0.5, 0.5}, 0.5, {std::nullopt, std::nullopt}, 0.25};
  ScoreMean mean;
  mean.add(first);
  mean.add(second);
  const Json json = to_json(mean.mean());
  EXPECT_EQ(json.at("surface_dice"), Json({0.25, nullptr}));
  EXPECT_EQ(json.at("whole_surface_dice"), 0.5);
  EXPECT_EQ(to_json(scores_from_json(json)), json);
}

TEST(Scores, WithoutSurfacesAreReadAndWrittenAsBefore) {
  const Json json = to_json(Scores{0.1, 0.7, {0.5}, {0.5}, std::nullopt});
  EXPECT_FALSE(json.contains("surface_dice"));
  EXPECT_FALSE(json.contains("whole_surface_dice"));
  EXPECT_TRUE(scores_from_json(json).surface_dice.empty());
}

}  // namespace
}  // namespace voxmark

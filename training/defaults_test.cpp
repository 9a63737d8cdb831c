#include "training/defaults.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "training/data.h"
#include "training/moving_statistics.h"

namespace voxmark {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// One class of the first channel, in windows smaller than the images.
struct Setting {
  TrainingOptions options;
  SubjectParts parts;
};
Setting brains(std::size_t cases) {
  Setting own;
  own.options.image = {32, 32, 32};
  own.parts = open_parts(fmt::format("phantom:{}:48x32x40", cases), own.options.image, 1);
  own.parts.training.channels = 4;
  own.parts.training.classes = 3;
  own.parts.training.channel_names = {"FLAIR", "T1w", "t1gd", "T2w"};
  own.parts.facts.kind = "decathlon";
  return own;
}

TEST(TrainingDefaults, TellWhatNobodyAskedFor) {
  const Setting own = brains(24);
  const std::vector<std::string> lines = training_defaults(own.options, own.parts);
  EXPECT_THAT(lines, Contains("channels: the first of 4 is read (FLAIR); --channels 4 reads all"));
  EXPECT_THAT(lines, Contains(HasSubstr("labels: 1 to 3 are one class")));
  EXPECT_THAT(lines, Contains(HasSubstr("windows: 32x32x32 of an image of 48x32x40, near its")));
  EXPECT_THAT(lines, Contains(StartsWith("spacing: not used")));
  EXPECT_THAT(lines, Not(Contains(StartsWith("validation: "))));
  EXPECT_THAT(lines, Not(Contains(StartsWith("test: "))));
}

TEST(TrainingDefaults, TellOnlyOfWhatIsSo) {
  Setting own = brains(4);
  own.options.network.input_channels = 4;
  own.options.network.classes = 3;
  own.options.tile = true;
  own.options.augment = false;
  own.parts.facts.kind = "phantom";
  const std::vector<std::string> lines = training_defaults(own.options, own.parts);
  for (const char* what : {"channels: ", "labels: ", "spacing: "}) {
    EXPECT_THAT(lines, Not(Contains(StartsWith(what))));
  }
  EXPECT_THAT(lines, Contains(HasSubstr("windows: 32x32x32 of an image of 48x32x40, anywhere")));
  EXPECT_THAT(lines, Not(Contains(HasSubstr("turned at random"))));
  EXPECT_THAT(lines, Contains(HasSubstr("validation: no case")));
  EXPECT_THAT(lines, Contains(HasSubstr("test: no case")));
}

TEST(TrainingDefaults, KnowWindowsThatHoldWholeImages) {
  Setting own = brains(4);
  own.options.image = {48, 32, 48};
  EXPECT_THAT(training_defaults(own.options, own.parts),
              Contains(StartsWith("windows: whole images, padded")));
}

TEST(PredictionDefaults, TellThatAModelReadsOneOfFourChannels) {
  TrainingOptions model;
  model.image = {32, 32, 32};
  const auto lines = prediction_defaults(model, 4, {}, 3, true);
  EXPECT_THAT(lines, Contains(StartsWith("channels: the first of 4 is read: ")));
  EXPECT_THAT(lines, Contains(StartsWith("labels: 1 to 3 are one class")));
  EXPECT_THAT(lines, Contains(HasSubstr("the middle 32x32x32 of each image")));
  EXPECT_THAT(prediction_defaults(model, 1, {}, 0, true), Not(Contains(StartsWith("channels: "))));
}

TEST(WorthOfScores, NamesTheStepFromWhichTheyMeanSomething) {
  // 0.99^458.2 = 0.01
  EXPECT_EQ(steps_that_leave_the_start(), 459);
  EXPECT_LE(share_of_the_start(459), kMostOfTheStart);
  EXPECT_GT(share_of_the_start(458), kMostOfTheStart);
  const std::string too_short = worth_of_scores(30, 2);
  EXPECT_THAT(too_short, HasSubstr("after its 60 steps 55%"));
  EXPECT_THAT(too_short, HasSubstr("from step 459 on"));
  EXPECT_THAT(too_short, HasSubstr("--epochs 16 reaches it"));
  EXPECT_THAT(worth_of_scores(30, 16), HasSubstr("before step 459, in epoch 16,"));
  EXPECT_EQ(worth_of_scores(459, 1), "");
}

}  // namespace
}  // namespace voxmark

#include "tools/voxmark/trick_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

TEST(Tricks, SeeAsManyVoxelsPerEpochAsFullImages) {
  TrickOptions options;
  options.data = "phantom:40";
  for (const Dims& image : {Dims{64, 64, 64}, Dims{48, 64, 80}, Dims{240, 240, 144}}) {
    for (const std::int64_t batch : {1, 3, 4, 16}) {
      options.image = image;
      options.batch = batch;
      const std::vector<Trick> tricks = tricks_of(options, 34);
      const std::int64_t full = tricks[0].steps * tricks[0].batch * tricks[0].image.voxels();
      EXPECT_EQ(tricks[0].steps, (34 + batch - 1) / batch);
      for (const Trick& trick : tricks) {
        const std::int64_t per_step = trick.batch * trick.image.voxels();
        EXPECT_LE(std::abs(trick.steps * per_step - full), per_step / 2) << trick.name;
      }
    }
  }
}

TEST(Tricks, ChangeOneThingEach) {
  TrickOptions options;
  const std::vector<Trick> tricks = tricks_of(options, 34);
  ASSERT_EQ(tricks.size(), 6U);
  EXPECT_EQ(tricks[1].downsample, 2);
  EXPECT_EQ(tricks[1].image, (Dims{32, 32, 32}));
  EXPECT_TRUE(tricks[2].tile);
  EXPECT_EQ(tricks[2].image, (Dims{32, 32, 32}));
  EXPECT_EQ(tricks[3].batch, 2);
  EXPECT_EQ(tricks[3].image, options.image);
  EXPECT_EQ(tricks[4].filters, 8);
  EXPECT_EQ(tricks[4].levels, 5);
  EXPECT_EQ(tricks[5].levels, 3);
  EXPECT_EQ(tricks[5].filters, 16);
  EXPECT_EQ(tricks[5].image, options.image);
  options.batch = 2;
  options.filters = 8;
  EXPECT_EQ(tricks_of(options, 34).size(), 4U);  // the others would be full images again
}

TEST(Tricks, TrainOnTheSameImagesWithTheSameSplitWhateverWindowAndSeed) {
  TrickOptions options;
  options.data = "phantom:40";
  options.reading = {true, 0.5};
  const auto value_of = [](const std::vector<std::string>& arguments, const std::string& flag) {
    const auto at = std::find(arguments.begin(), arguments.end(), flag);
    return at == arguments.end() ? std::string() : *(at + 1);
  };
  for (const Trick& trick : tricks_of(options, 34)) {
    for (const int seed : {1, 2}) {
      const std::vector<std::string> arguments = train_arguments(options, trick, seed);
      EXPECT_EQ(value_of(arguments, "--data"), "phantom:40:64x64x64") << trick.name;
      EXPECT_EQ(value_of(arguments, "--levels"), std::to_string(trick.levels));
      EXPECT_EQ(value_of(arguments, "--split-seed"), "1");
      EXPECT_EQ(std::ranges::count(arguments, "--follow-links"), 1);
      EXPECT_EQ(value_of(arguments, "--affine-tolerance"), "0.5");
      EXPECT_EQ(value_of(arguments, "--seed"), std::to_string(seed));
    }
  }
  EXPECT_EQ(data_of_full_images("phantom:40:96x96x80", options.image), "phantom:40:96x96x80");
  EXPECT_EQ(data_of_full_images("Task04_Hippocampus", options.image), "Task04_Hippocampus");
}

TEST(Tricks, SayWhenTheyAreTooShortToCompare) {
  const std::vector<Trick> tricks = tricks_of({}, 34);
  ASSERT_EQ(tricks[0].steps, 9);
  EXPECT_EQ(too_few_steps(tricks, 10).find("full images: after 90 steps 40% of the moving"), 0U)
      << too_few_steps(tricks, 10);
  EXPECT_NE(too_few_steps(tricks, 50).find("--epochs 51 "), std::string::npos);
  EXPECT_EQ(too_few_steps(tricks, 51), "");
}

TEST(Tricks, AreFinishedOnlyWhenTestedWithTheSameOptions) {
  TrickOptions options;
  options.data = "phantom:40";
  const Trick trick = tricks_of(options, 34).front();
  Json report = {{"options",
                  {{"data", "phantom:40:64x64x64"},
                   {"image", {64, 64, 64}},
                   {"batch", 4},
                   {"channels", 1},
                   {"classes", 1},
                   {"filters", 16},
                   {"tile", false},
                   {"downsample", 1},
                   {"steps_per_epoch", 9},
                   {"epochs", 25},
                   {"backend", "onednn"},
                   {"precision", "fp32"},
                   {"threads", 1},
                   {"memory_limit_bytes", nullptr},
                   {"seed", 3},
                   {"split_seed", 1}}},
                 {"end", "done"},
                 {"test", {{"mean", 1}}}};
  EXPECT_TRUE(is_finished(report, options, trick, 3, "run"));
  report["end"] = nullptr;  // under way, or died
  EXPECT_FALSE(is_finished(report, options, trick, 3, "run"));
  report["end"] = "interrupted";
  EXPECT_FALSE(is_finished(report, options, trick, 3, "run"));
  report["end"] = "done";
  report["test"] = nullptr;
  EXPECT_FALSE(is_finished(report, options, trick, 3, "run"));
  report["end"] = "diverged";
  EXPECT_TRUE(is_finished(report, options, trick, 3, "run"));
  TrickOptions other = options;
  other.threads = 2;
  EXPECT_THAT(refusal_of([&] { is_finished(report, other, trick, 3, "run"); }),
              testing::HasSubstr("threads 1, expected 2"));
  other = options;
  other.memory_limit_bytes = 1024;
  EXPECT_THAT(refusal_of([&] { is_finished(report, other, trick, 3, "run"); }),
              testing::HasSubstr("memory_limit_bytes null, expected 1024"));
  EXPECT_THAT(
      refusal_of([&] { is_finished(report, options, tricks_of(options, 34).back(), 3, "run"); }),
      testing::HasSubstr("levels 5, expected 3"));  // a report of an earlier version
  report["options"]["levels"] = 3;
  EXPECT_TRUE(is_finished(report, options, tricks_of(options, 34).back(), 3, "run"));
  EXPECT_THAT(refusal_of([&] { is_finished(report, options, trick, 3, "run"); }),
              testing::HasSubstr("levels 3, expected 5"));
  report["options"]["levels"] = 5;
  report["options"]["epochs"] = 10;
  EXPECT_THAT(refusal_of([&] { is_finished(report, options, trick, 3, "run"); }),
              testing::HasSubstr("epochs 10, expected 25"));
}

}  // namespace
}  // namespace voxmark

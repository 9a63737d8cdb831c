#include "workloads/images/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

#include "workloads/data_sets/batch_source.h"
#include "workloads/data_sets/phantom.h"
#include "workloads/images/resample.h"
#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

// 2 x 2 x 3 voxels, two input channels; voxel i holds i and -i.
Sample counting_sample(const Dims& dims) {
  Sample sample;
  for (std::int64_t i = 0; i < dims.voxels(); ++i) {
    sample.input.push_back(static_cast<float>(i));
    sample.input.push_back(static_cast<float>(-i));
    sample.target.push_back(static_cast<float>(i % 2));
  }
  return sample;
}

const SampleShape kShape{{2, 2, 3}, 2, 1};

TEST(Augment, FlipsAnAxisOfInputAndTargetAlike) {
  const Sample sample = counting_sample(kShape.dims);
  const Sample flipped = augment(sample, kShape, {2, 0, 0, 0});
  const std::vector<float> expected = {2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(flipped.input[2 * i], expected[i]);
    EXPECT_EQ(flipped.input[2 * i + 1], -expected[i]);
    EXPECT_EQ(flipped.target[i], static_cast<float>(static_cast<int>(expected[i]) % 2));
  }
  EXPECT_EQ(augment(flipped, kShape, {2, 0, 0, 0}).input, sample.input);
}

// numpy: numpy.rot90(numpy.arange(12).reshape(2, 2, 3), 1, (0, 1))
TEST(Augment, TurnsAQuarterAsNumpyDoes) {
  const Sample turned = augment(counting_sample(kShape.dims), kShape, {-1, 0, 1, 1});
  const std::vector<float> expected = {3, 4, 5, 9, 10, 11, 0, 1, 2, 6, 7, 8};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(turned.input[2 * i], expected[i]);
  }
}

TEST(Augment, FourQuartersAreNone) {
  const Sample sample = counting_sample(kShape.dims);
  Sample turned = sample;
  for (int i = 0; i < 4; ++i) {
    turned = augment(turned, kShape, {-1, 0, 1, 1});
  }
  EXPECT_EQ(turned.input, sample.input);
  EXPECT_EQ(augment(augment(sample, kShape, {-1, 0, 1, 3}), kShape, {-1, 0, 1, 1}).input,
            sample.input);
}

TEST(DrawAugmentation, DrawsEveryKindAndOnlyEqualPlanes) {
  int flips = 0;
  int turns = 0;
  std::set<int> axes;
  std::set<int> quarters;
  constexpr int kDraws = 2000;
  for (std::uint64_t position = 0; position < kDraws; ++position) {
    const Augmentation drawn = draw_augmentation({16, 32, 16}, 1, 3, position);
    flips += drawn.flip_axis >= 0 ? 1 : 0;
    if (drawn.flip_axis >= 0) {
      axes.insert(drawn.flip_axis);
    }
    if (drawn.quarter_turns > 0) {
      ++turns;
      quarters.insert(drawn.quarter_turns);
      EXPECT_EQ(std::tie(drawn.first, drawn.second), std::make_tuple(0, 2));
    }
  }
  EXPECT_NEAR(flips, kDraws / 2, 120);  // more than five standard deviations
  EXPECT_NEAR(turns, kDraws / 4, 120);
  EXPECT_EQ(axes, (std::set<int>{0, 1, 2}));
  EXPECT_EQ(quarters, (std::set<int>{1, 2, 3}));
  for (std::uint64_t position = 0; position < 100; ++position) {
    EXPECT_EQ(draw_augmentation({16, 32, 48}, 1, 3, position).quarter_turns, 0);
  }
}

TEST(DrawOffset, StaysWithinAFifthOfTheMargin) {
  std::set<std::int64_t> seen;
  for (std::uint64_t position = 0; position < 500; ++position) {
    const Dims offset =
        draw_offset({52, 16, 10}, {32, 16, 16}, WindowPlace::near_middle, 1, 0, position);
    seen.insert(offset.d);
    EXPECT_EQ(offset.h, 0);
    EXPECT_EQ(offset.w, -3);  // larger than the image: centred
  }
  EXPECT_EQ(seen, (std::set<std::int64_t>{8, 9, 10, 11, 12}));  // margin 10
}

TEST(DrawOffset, ReachesEveryPlaceOfATile) {
  std::set<std::int64_t> seen;
  for (std::uint64_t position = 0; position < 500; ++position) {
    seen.insert(draw_offset({20, 16, 16}, {16, 16, 16}, WindowPlace::anywhere, 1, 0, position).d);
  }
  EXPECT_EQ(seen, (std::set<std::int64_t>{0, 1, 2, 3, 4}));
}

TEST(CutSample, ReplicatesTheEdgeBeyondTheSubject) {
  Subject subject{"edge", {2, 1, 1}, 1, {3, 5}, {0, 1}};
  const std::vector<ChannelScale> scales = {{3, 2}};
  const Sample sample = cut_sample(subject, {-1, 0, -1}, {{4, 1, 2}, 1, 1}, scales);
  EXPECT_EQ(sample.input, (std::vector<float>{0, 0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(sample.target, (std::vector<float>{0, 0, 0, 0, 1, 1, 1, 1}));
}

TEST(TrainingSample, ScalesWithoutThePadding) {
  const Subject subject{"small", {2, 2, 1}, 1, {1, 2, 3, 6}, {0, 0, 0, 1}};
  TrainingRecipe recipe;
  recipe.shape = {{2, 2, 16}, 1, 1};
  recipe.augment = false;
  const Sample sample = training_sample(subject, recipe, 1, 0, 0);
  double sum = 0;
  for (std::size_t voxel = 0; voxel < 4; ++voxel) {
    sum += static_cast<double>(sample.input[voxel * 16 + 8]);
  }
  EXPECT_NEAR(sum, 0, 1e-6);
}

TEST(TrainingBatch, IsAPureFunctionOfSeedEpochAndStep) {
  const SubjectSource source = phantom_parts(5, {32, 32, 32}, 7).training;
  TrainingRecipe recipe;
  recipe.shape = {{16, 16, 16}, 1, 1};
  const auto hash = [&](std::uint64_t seed, std::uint64_t epoch, std::uint64_t step) {
    return sha256_hex(training_batch(source, recipe, 2, seed, epoch, step));
  };
  EXPECT_EQ(hash(1, 2, 3), hash(1, 2, 3));
  std::set<std::string> distinct = {hash(1, 2, 3), hash(2, 2, 3), hash(1, 3, 3), hash(1, 2, 4)};
  EXPECT_EQ(distinct.size(), 4U);
}

TEST(PhantomParts, AreSplitAndAreTheWritersSubjects) {
  TemporaryFolder folder;
  PhantomOptions options;
  options.seed = 3;
  options.subjects = 16;
  options.dims = {16, 16, 16};
  write_phantom_dataset(folder.path("data"), options);
  const SubjectParts drawn = phantom_parts(options.subjects, options.dims, options.seed);
  const SubjectParts read = data_set_parts(folder.path("data"), options.seed);
  ASSERT_EQ(drawn.training.count, 14U);
  ASSERT_EQ(drawn.validation.count, 1U);
  ASSERT_EQ(drawn.test.count, 1U);
  const auto expect_same = [](const SubjectSource& a, const SubjectSource& b) {
    ASSERT_EQ(a.count, b.count);
    for (std::size_t i = 0; i < a.count; ++i) {
      EXPECT_EQ(a.load(i, 4).image, b.load(i, 4).image);
      EXPECT_EQ(a.load(i, 4).labels, b.load(i, 4).labels);
    }
  };
  expect_same(drawn.training, read.training);
  expect_same(drawn.validation, read.validation);
  expect_same(drawn.test, read.test);
}

TEST(Downsampled, AveragesBoxesAndTakesTheMajorityLabel) {
  const Subject subject{"box",
                        {3, 2, 2},
                        1,
                        {0, 1, 9, 2, 3, 9, 4, 5, 9, 6, 7, 9},
                        {2, 2, 1, 2, 0, 1, 0, 0, 0, 0, 0, 1}};
  const Subject half = downsampled(subject, 2, false);
  EXPECT_EQ(half.dims, (Dims{2, 1, 1}));
  EXPECT_EQ(half.image, (std::vector<float>{3.5F, 9}));
  EXPECT_EQ(half.labels, (std::vector<std::uint8_t>{0, 1}));
}

TEST(Downsampled, VotesForAnyLabelWhereTheyAreNotToldApart) {
  const auto label_of = [](std::vector<std::uint8_t> labels, bool any_label) {
    const Subject subject{"box", {2, 2, 2}, 1, std::vector<float>(8), std::move(labels)};
    return downsampled(subject, 2, any_label).labels.at(0);
  };
  EXPECT_EQ(label_of({0, 0, 0, 2, 2, 3, 3, 1}, true), 2);
  EXPECT_EQ(label_of({0, 0, 0, 2, 2, 3, 3, 1}, false), 0);
  EXPECT_EQ(label_of({0, 0, 0, 0, 1, 1, 2, 3}, true), 0);  // a tie
}

TEST(Upsampled, InterpolatesBetweenTheCentresOfBoxes) {
  const std::vector<float> fine = upsampled({0, 4}, {2, 1, 1}, 1, {4, 1, 1}, 2);
  EXPECT_EQ(fine, (std::vector<float>{0, 1, 3, 4}));
}

}  // namespace
}  // namespace voxmark

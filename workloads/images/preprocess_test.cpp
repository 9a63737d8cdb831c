#include "workloads/images/preprocess.h"

#include <gtest/gtest.h>

#include <cmath>

#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

// 4 x 3 x 2 voxels, two channels; voxel (x, y, z) holds 100 x + 10 y + z, and its negative.
Subject counting_subject() {
  Subject subject{"counting", {4, 3, 2}, 2, std::vector<float>(48), std::vector<std::uint8_t>(24)};
  for (std::size_t z = 0; z < 2; ++z) {
    for (std::size_t y = 0; y < 3; ++y) {
      for (std::size_t x = 0; x < 4; ++x) {
        const std::size_t i = x + 4 * (y + 3 * z);
        subject.image[i] = static_cast<float>(100 * x + 10 * y + z);
        subject.image[24 + i] = -subject.image[i];
        subject.labels[i] = static_cast<std::uint8_t>(x);  // 0..3
      }
    }
  }
  return subject;
}

TEST(MakeSample, PutsXFirstAndChannelsLast) {
  const Sample sample = make_sample(counting_subject(), {0, 0, 0}, {{4, 3, 2}, 2, 1});
  ASSERT_EQ(sample.input.size(), 48U);
  // Mean 160.5; deviation sqrt(var of 0,100,200,300 + var of 0,10,20 + var of 0,1).
  const double deviation = std::sqrt(12500 + 200.0 / 3 + 0.25);
  for (std::size_t x = 0; x < 4; ++x) {
    for (std::size_t y = 0; y < 3; ++y) {
      for (std::size_t z = 0; z < 2; ++z) {
        const std::size_t voxel = (x * 3 + y) * 2 + z;
        const double value = static_cast<double>(100 * x + 10 * y + z) - 160.5;
        EXPECT_NEAR(sample.input[2 * voxel], value / deviation, 1e-7);
        EXPECT_EQ(sample.input[2 * voxel + 1], -sample.input[2 * voxel]);
        EXPECT_EQ(sample.target[voxel], x > 0 ? 1.0F : 0.0F);
      }
    }
  }
}

TEST(MakeSample, CropsBeforeItNormalises) {
  const Subject subject = counting_subject();
  const SampleShape shape{{2, 1, 2}, 1, 1};
  const Dims offset = centre_offset(subject, shape);
  EXPECT_EQ(offset, (Dims{1, 1, 0}));
  const Sample sample = make_sample(subject, offset, shape);
  // x = 1, 2; y = 1; z = 0, 1: 110, 111, 210, 211, mean 160.5.
  const double deviation = std::sqrt(2500.25);
  const std::vector<double> expected = {-50.5, -49.5, 49.5, 50.5};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(sample.input[i], expected[i] / deviation, 1e-7);
  }
}

TEST(MakeSample, LeavesTheOddVoxelAtTheEnd) {
  EXPECT_EQ(centre_offset(counting_subject(), {{1, 2, 2}, 1, 1}), (Dims{1, 0, 0}));
}

TEST(MakeSample, GivesAOneHotTargetWithBackgroundFirst) {
  const Sample sample = make_sample(counting_subject(), {0, 0, 0}, {{4, 3, 2}, 1, 3});
  ASSERT_EQ(sample.target.size(), 24U * 4);
  for (std::size_t voxel = 0; voxel < 24; ++voxel) {
    for (std::size_t channel = 0; channel < 4; ++channel) {
      EXPECT_EQ(sample.target[4 * voxel + channel], channel == voxel / 6 ? 1.0F : 0.0F);
    }
  }
}

TEST(MakeSample, MakesAConstantChannelZero) {
  Subject subject = counting_subject();
  // 0.1 has no exact mean: a naive deviation would be rounding noise, and divide by it.
  std::fill(subject.image.begin(), subject.image.begin() + 24, 0.1F);
  const Sample sample = make_sample(subject, {0, 0, 0}, {{4, 3, 2}, 2, 1});
  for (std::size_t voxel = 0; voxel < 24; ++voxel) {
    EXPECT_EQ(sample.input[2 * voxel], 0.0F);
  }
  EXPECT_NE(sample.input[1], 0.0F);
}

TEST(MakeSample, RefusesWhatDoesNotFit) {
  const Subject subject = counting_subject();
  const std::string small = refusal_of([&] { centre_offset(subject, {{16, 3, 2}, 1, 1}); });
  EXPECT_NE(small.find("counting: image of 4x3x2 voxels, expected at least 16x3x2"),
            std::string::npos)
      << small;
  EXPECT_NE(refusal_of([&] { make_sample(subject, {1, 0, 0}, {{4, 3, 2}, 1, 1}); }), "");
  EXPECT_NE(refusal_of([&] { make_sample(subject, {-1, 0, 0}, {{4, 3, 2}, 1, 1}); }), "");
  EXPECT_NE(refusal_of([&] { make_sample(subject, {}, {{4, 3, 2}, 3, 1}); }).find("3 channels"),
            std::string::npos);
  EXPECT_NE(refusal_of([&] { make_sample(subject, {}, {{4, 3, 2}, 1, 2}); }).find("label 3"),
            std::string::npos);
}

}  // namespace
}  // namespace voxmark

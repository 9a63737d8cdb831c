#include "workloads/network/kept_bytes.h"

#include <gtest/gtest.h>

#include <utility>

namespace voxmark {
namespace {

TEST(KeptBytes, AreThoseCountedByHand) {
  NetworkBuilder net("tiny", 1);
  const int last = net.batch_norm_relu("b", net.convolution("c", net.input(), 2, 1));
  net.sigmoid("p", net.convolution("mask", last, 1, 1));
  const Program program = lower(std::move(net).build(), 3, {2, 2, 2}, Mode::training);
  // 24 voxels. Image and target 1 each, convolution 2, batch norm 2 and ReLU 2, mask 1, sigmoid 1.
  constexpr std::int64_t kForward = 24 * (1 + 1 + 2 + 2 + 2 + 1 + 1);
  constexpr std::int64_t kBackward = 24 * (2 + 2 + 2 + 1 + 1);
  // Statistics 3 of 2 channels, 6 sums of 3 samples, the loss, 2 coefficients.
  constexpr std::int64_t kReductions = 6 + 18 + 1 + 2;
  // Kernels 2 and 2, biases 2 and 1, gamma 2, beta 2: each with a gradient, m and v. Moving
  // statistics 4, the iteration 1.
  constexpr std::int64_t kWeights = 4 * 11 + 4 + 1;
  EXPECT_EQ(keeps_everything_bytes(program, Precision::fp32),
            4 * (kForward + kBackward + kReductions + kWeights));
  EXPECT_EQ(keeps_everything_bytes(program, Precision::bf16),
            2 * (kForward + kBackward) + 4 * (kReductions + kWeights));
  EXPECT_EQ(keeps_everything_bytes(program, Precision::fp64),
            8 * (kForward + kBackward + kReductions + kWeights));
}

TEST(KeptBytes, OfAnOutputThatTwoLayersReadAreThoseOfThreeGradients) {
  NetworkBuilder net("skip", 1);
  const int first = net.batch_norm_relu("b", net.convolution("c", net.input(), 2, 1));
  const int up = net.transposed_convolution("up", net.max_pool("pool", first), 2);
  net.sigmoid("p", net.convolution("mask", net.concat("cat", up, first), 1, 1));
  const Program program = lower(std::move(net).build(), 1, {2, 2, 2}, Mode::training);
  const auto bytes_of = [&](const char* name) {
    return keeps_everything_bytes(program, Precision::fp32, program.find(name));
  };
  constexpr std::int64_t kOutput = 4 * 8 * 2;
  EXPECT_EQ(bytes_of("b"), 2 * kOutput);  // batch norm and ReLU
  // One from each reader, their sum, and that of batch norm.
  EXPECT_EQ(bytes_of("gradient/b") + bytes_of("gradient/b/second") + bytes_of("gradient/b/sum"),
            4 * kOutput);
  EXPECT_EQ(bytes_of("gradient/up"), kOutput);
  EXPECT_EQ(bytes_of("gradient/pool"), kOutput / 8);
  EXPECT_EQ(bytes_of("gradient/cat"), 2 * kOutput);
}

TEST(KeptBytes, OfThePapersStepAreAThirdOfATerabyte) {
  const Dims full{240, 240, 144};
  const std::int64_t bytes = keeps_everything_bytes(UnetOptions{}, 16, full, Precision::fp32);
  EXPECT_GT(bytes, 0.36e12);
  EXPECT_LT(bytes, 0.37e12);
  // Channels per voxel of the image. Convolutions 85.125, of which each has a batch norm and a
  // ReLU; transposed ones 21.25; concatenations 42.5; pools 2.65625; logits and prediction. Each
  // with a gradient, and two more of each skip (21.25). Image and target.
  constexpr double kChannels = 2 * (3 * 85.125 + 21.25 + 42.5 + 2.65625 + 2) + 2 * 21.25 + 2;
  EXPECT_NEAR(static_cast<double>(bytes) / static_cast<double>(16 * full.voxels()), 4 * kChannels,
              1.0);  // weights: 0.7
}

TEST(KeptBytes, AreALineOverVoxels) {
  constexpr double kPerVoxel = 4 * 692.0625;
  EXPECT_DOUBLE_EQ(keeps_everything_bytes_per_voxel({}, Precision::fp32), kPerVoxel);
  EXPECT_DOUBLE_EQ(keeps_everything_bytes_per_voxel({}, Precision::bf16), kPerVoxel / 2);
  const auto bytes_of = [](const Dims& dims) {
    return static_cast<double>(keeps_everything_bytes(UnetOptions{}, 2, dims, Precision::fp32));
  };
  EXPECT_DOUBLE_EQ(bytes_of({96, 48, 64}) - bytes_of({16, 32, 48}),
                   kPerVoxel * 2 * (96 * 48 * 64 - 16 * 32 * 48));
}

}  // namespace
}  // namespace voxmark

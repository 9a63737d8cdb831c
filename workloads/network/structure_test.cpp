#include "workloads/network/structure.h"

#include <gtest/gtest.h>

#include <utility>

namespace voxmark {
namespace {

// Pools once; none of its names is one of the paper's network.
Program small_program() {
  NetworkBuilder net("small", 2);
  const int fine = net.batch_norm_relu("norm", net.convolution("first", net.input(), 4, 3));
  const int coarse =
      net.batch_norm_relu("deep norm", net.convolution("deep", net.max_pool("half", fine), 8, 3));
  const int lifted = net.transposed_convolution("lift", coarse, 4);
  net.sigmoid("mask", net.convolution("out", net.concat("both", lifted, fine), 1, 1));
  return lower(std::move(net).build(), 1, {8, 4, 4}, Mode::training);
}

TEST(Structure, FindsConvolutionsAndTheOneThatMakesLogits) {
  const std::vector<ConvolutionPlace> places = convolution_places(small_program());
  ASSERT_EQ(places.size(), 4U);
  EXPECT_EQ(places[0].layer, "first");
  EXPECT_EQ(places[0].input, small_program().input);
  EXPECT_FALSE(places[0].is_transposed || places[0].makes_logits);
  EXPECT_EQ(places[2].layer, "lift");
  EXPECT_TRUE(places[2].is_transposed);
  EXPECT_EQ(places[3].layer, "out");
  EXPECT_TRUE(places[3].makes_logits);
}

TEST(Structure, CountsLevelsFromTheImageDown) {
  const Program program = small_program();
  EXPECT_EQ(coarsest_level(program), 1);
  EXPECT_EQ(level(program, program.find("first")), 0);
  EXPECT_EQ(level(program, program.find("deep")), 1);
  EXPECT_EQ(level(program, program.find("lift")), 0);
  for (const std::int64_t levels : {2, 3, 4, 5}) {
    UnetOptions options;
    options.levels = levels;
    EXPECT_EQ(coarsest_level(lower(unet3d(options), 1, {16, 16, 16}, Mode::inference)), levels - 1);
  }
}

TEST(Structure, OfFewerLevelsKeepsTheNamesOfThePapersCode) {
  const auto layers = [](std::int64_t levels) {
    UnetOptions options;
    options.levels = levels;
    std::vector<std::string> names;
    const Program program = lower(unet3d(options), 1, {16, 16, 16}, Mode::training);
    for (const ConvolutionPlace& place : convolution_places(program)) {
      if (place.layer.find("_conv1") == std::string::npos) {
        names.push_back(place.layer);
      }
    }
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(layers(2), (Names{"encodeA_conv0", "encodeB_conv0", "transconvB", "convOut_conv0",
                              "PredictionMask"}));
  EXPECT_EQ(layers(3), (Names{"encodeA_conv0", "encodeB_conv0", "encodeC_conv0", "transconvC",
                              "decodeA_conv0", "transconvA", "convOut_conv0", "PredictionMask"}));
  EXPECT_EQ(layers(5), (Names{"encodeA_conv0", "encodeB_conv0", "encodeC_conv0", "encodeD_conv0",
                              "encodeE_conv0", "transconvE", "decodeC_conv0", "transconvC",
                              "decodeB_conv0", "transconvB", "decodeA_conv0", "transconvA",
                              "convOut_conv0", "PredictionMask"}));
}

TEST(Structure, FindsTheParametersOfALevel) {
  const Program program = small_program();
  std::vector<std::string> names;
  for (const TensorId id : parameters_on_level(program, 1)) {
    names.push_back(program.tensor(id).name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"deep/kernel", "deep/bias", "deep norm/gamma",
                                             "deep norm/beta"}));
}

}  // namespace
}  // namespace voxmark

#include "workloads/network/layer_facts.h"

#include <gtest/gtest.h>

#include <set>

#include "workloads/network/cost.h"

namespace voxmark {
namespace {

TEST(LayerFacts, AddUpToTheModelsFigures) {
  for (const UnetOptions& options : {UnetOptions{}, UnetOptions{4, 2, 3}}) {
    const Dims dims{16, 32, 16};
    const Program program = lower(unet3d(options), 2, dims, Mode::training);
    std::int64_t forward = 0, backward = 0;
    ParameterCount parameters;
    for (const LayerFacts& layer : layer_facts(unet3d(options), program)) {
      forward += layer.forward_flops;
      backward += layer.backward_flops;
      parameters.trainable += layer.trainable;
      parameters.moving_statistics += layer.moving_statistics;
    }
    EXPECT_EQ(parameters.total(), count_parameters(program).total());
    EXPECT_EQ(forward + backward, flops(program));
    if (options.filters == 16) {
      EXPECT_EQ(forward, 113'840 * 2 * dims.voxels());
      EXPECT_EQ(forward + backward, 340'656 * 2 * dims.voxels());
    }
  }
}

TEST(LayerFacts, EveryTensorIsOfALayerOfTheLossOrOfTheOptimizer) {
  const Network network = unet3d({2, 1, 1});
  const Program program = lower(network, 1, {16, 16, 16}, Mode::training);
  std::set<std::string> known = {"loss", "optimizer"};
  for (const Layer& layer : network.layers) {
    known.insert(layer.name);
  }
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    const std::string layer = layer_of(program, static_cast<TensorId>(i));
    EXPECT_TRUE(known.contains(layer)) << program.tensors[i].name << ": " << layer;
  }
  const auto layer_of_name = [&](const char* name) {
    return layer_of(program, program.find(name));
  };
  EXPECT_EQ(layer_of_name("encodeA_conv0/kernel"), "encodeA_conv0");
  EXPECT_EQ(layer_of_name("gradient/encodeA_conv0/kernel"), "encodeA_conv0");
  EXPECT_EQ(layer_of_name("gradient/encodeA_bn1/sum"), "encodeA_bn1");
  EXPECT_EQ(layer_of_name("optimizer/v/encodeA_bn0/gamma"), "encodeA_bn0");
  EXPECT_EQ(layer_of_name("optimizer/iteration"), "optimizer");
  EXPECT_EQ(layer_of_name("target"), "loss");
  EXPECT_EQ(layer_of_name("dice/sums"), "loss");
}

TEST(LayerFacts, EveryGradientIsOfAnActivationOfItsShape) {
  const Program program = lower(unet3d({2, 1, 1}), 1, {16, 16, 16}, Mode::training);
  int gradients = 0;
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    const TensorInfo& gradient = program.tensors[i];
    if (gradient.role != TensorRole::gradient) {
      continue;
    }
    ++gradients;
    const TensorId id = activation_of(program, static_cast<TensorId>(i));
    ASSERT_NE(id, kNoTensor) << gradient.name;
    EXPECT_EQ(program.tensor(id).role, TensorRole::activation) << gradient.name;
    EXPECT_EQ(program.tensor(id).shape, gradient.shape) << gradient.name;
  }
  EXPECT_GT(gradients, 0);
  EXPECT_EQ(activation_of(program, program.find("gradient/encodeA_bn1/second")),
            program.find("encodeA_bn1"));
}

}  // namespace
}  // namespace voxmark

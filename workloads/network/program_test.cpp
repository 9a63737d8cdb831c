#include "workloads/network/program.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "workloads/network/cost.h"

namespace voxmark {
namespace {

Program default_training(const Dims& dims) { return lower(unet3d({}), 1, dims, Mode::training); }

TEST(Program, HasThePaperNetworksParameters) {
  const ParameterCount count = count_parameters(default_training({16, 16, 16}));
  EXPECT_EQ(count.total(), 5'650'801);
  EXPECT_EQ(count.trainable, 5'647'857);
  EXPECT_EQ(count.moving_statistics, 2'944);
}

TEST(Program, HasTheNominalFlopsPerVoxel) {
  const Dims dims{32, 16, 48};
  EXPECT_EQ(flops(default_training(dims)), 340'656 * dims.voxels());
  EXPECT_EQ(flops(lower(unet3d({}), 2, dims, Mode::inference)), 2 * 113'840 * dims.voxels());
}

TEST(Program, CountsFlopsOfAFullBatchIn64Bits) {
  const Dims full{240, 240, 144};
  EXPECT_EQ(flops(lower(unet3d({}), 16, full, Mode::training)), 16 * 340'656 * full.voxels());
}

TEST(Program, EveryTensorIsWrittenBeforeItIsRead) {
  for (const Mode mode : {Mode::training, Mode::inference}) {
    const Program program = lower(unet3d({4, 2, 3}), 2, {16, 32, 16}, mode);
    std::set<TensorId> known;
    for (std::size_t i = 0; i < program.tensors.size(); ++i) {
      const TensorRole role = program.tensors[i].role;
      if (is_persistent(role) || role == TensorRole::input || role == TensorRole::target) {
        known.insert(static_cast<TensorId>(i));
      }
    }
    Phase phase = Phase::forward;
    for (const Op& op : program.ops) {
      EXPECT_GE(op.phase, phase) << op_name(op);
      phase = op.phase;
      for (const TensorId id : operands(op).reads) {
        EXPECT_TRUE(known.contains(id)) << op_name(op) << " reads " << program.tensor(id).name;
      }
      for (const TensorId id : operands(op).writes) {
        known.insert(id);
      }
    }
    EXPECT_EQ(known.size(), program.tensors.size());  // nothing is left over
  }
}

TEST(Program, NamesAreUnique) {
  const Program program = default_training({16, 16, 16});
  std::set<std::string> names;
  for (const TensorInfo& tensor : program.tensors) {
    EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
  }
}

TEST(Program, GradientsHaveTheShapeOfTheirTensor) {
  const Program program = default_training({16, 16, 16});
  int parameters = 0;
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.role == TensorRole::parameter) {
      const TensorId gradient = program.find("gradient/" + tensor.name);
      ASSERT_NE(gradient, kNoTensor) << tensor.name;
      EXPECT_EQ(program.tensor(gradient).shape, tensor.shape);
      ++parameters;
    }
  }
  EXPECT_EQ(parameters, 23 * 2 + 18 * 2);  // 23 convolutions, 18 batch norms
}

TEST(Program, SeveralClassesGetABackgroundChannelAndSoftmax) {
  EXPECT_EQ(output_channels({16, 4, 1}), 1);
  EXPECT_EQ(output_channels({16, 4, 3}), 4);
  const Network network = unet3d({16, 4, 3});
  EXPECT_EQ(network.layers.back().kind, LayerKind::softmax);
  EXPECT_EQ(network.layers.back().channels, 4);
}

TEST(Program, RefusesDimsThatThePoolingsDoNotDivide) {
  EXPECT_THROW(default_training({24, 16, 16}), Error);
  EXPECT_THROW(default_training({0, 16, 16}), Error);
  EXPECT_THROW(lower(unet3d({}), 0, {16, 16, 16}, Mode::training), Error);
  EXPECT_THROW(unet3d({0, 1, 1}), Error);
}

}  // namespace
}  // namespace voxmark

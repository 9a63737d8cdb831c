#include "workloads/network/weights.h"

#include <gtest/gtest.h>

#include <functional>

#include "workloads/images/test_files.h"
#include "workloads/network/safetensors.h"

namespace voxmark {
namespace {

class WeightsFile : public testing::Test {
 protected:
  static Program program(std::int64_t filters) {
    return lower(unet3d({filters, 1, 1}), 1, {16, 16, 16}, Mode::training);
  }

  // Every persistent tensor, its values numbered, but for those that `leaves_out` names.
  void write(const std::function<bool(const TensorInfo&)>& leaves_out, const std::string& prefix) {
    std::vector<TensorView> views;
    for (const TensorInfo& tensor : program_.tensors) {
      if (!is_persistent(tensor.role)) {
        continue;
      }
      std::vector<double>& values = written_[tensor.name];
      values.resize(static_cast<std::size_t>(elements(tensor.shape)));
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<double>(i) + static_cast<double>(written_.size());
      }
      if (!leaves_out(tensor)) {
        views.push_back({prefix + tensor.name, tensor.shape, std::span<const double>(values)});
      }
    }
    write_safetensors(path_, views);
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.path("weights.safetensors");
  Program program_ = program(2);
  Weights written_;
};

TEST_F(WeightsFile, IsReadWithTheOptimizersState) {
  write([](const TensorInfo&) { return false; }, "initial/");
  EXPECT_EQ(load_weights(path_, program_, "initial/"), written_);
}

TEST_F(WeightsFile, WithoutAnyOptimizerStateStartsItAtZero) {
  write([](const TensorInfo& tensor) { return tensor.role == TensorRole::optimizer_state; }, "");
  const Weights read = load_weights(path_, program_);
  EXPECT_EQ(read.at("encodeA_conv0/kernel"), written_.at("encodeA_conv0/kernel"));
  const std::vector<double>& m = read.at("optimizer/m/encodeA_conv0/kernel");
  EXPECT_EQ(m, std::vector<double>(m.size(), 0.0));
}

TEST_F(WeightsFile, WithPartOfAnOptimizerStateIsRefused) {
  const std::string missing = "optimizer/v/decodeA_bn0/gamma";
  write([&](const TensorInfo& tensor) { return tensor.name == missing; }, "");
  const std::string said = refusal_of([&] { load_weights(path_, program_); });
  EXPECT_NE(said.find(path_), std::string::npos) << said;
  EXPECT_NE(said.find(missing), std::string::npos) << said;
}

TEST_F(WeightsFile, OfAnotherModelIsRefusedWithBothShapes) {
  write([](const TensorInfo&) { return false; }, "");
  EXPECT_EQ(refusal_of([&] { load_weights(path_, program(4)); }),
            "weights " + path_ +
                ": encodeA_conv0/kernel has shape [3, 3, 3, 1, 2], expected [3, 3, 3, 1, 4] for "
                "this model");
}

TEST_F(WeightsFile, WithoutATensorIsRefusedByItsName) {
  write([](const TensorInfo& tensor) { return tensor.name == "transconvB/bias"; }, "");
  const std::string said = refusal_of([&] { load_weights(path_, program_); });
  EXPECT_NE(said.find("transconvB/bias"), std::string::npos) << said;
}

}  // namespace
}  // namespace voxmark

// PassKernels under the interpreter, with naive's convolutions beside them: a whole step against
// naive in double.

#include "backends/passes/pass_kernels.h"

#include <gtest/gtest.h>

#include "backends/interpreter/executable_weights.h"
#include "backends/naive/kernels.h"
#include "backends/verify/verify.h"
#include "workloads/network/synthetic.h"

namespace voxmark {
namespace {

class PassesWithNaiveConvolutions : public PassKernels {
 public:
  PassesWithNaiveConvolutions(const Program& program, const CompileOptions& options)
      : PassKernels(program, options), convolutions_(program, options) {}

  using PassKernels::execute;
  void execute(const Convolution& op, const Tensors<float>& t) { convolutions_.execute(op, t); }
  void execute(const ConvolutionBackwardData& op, const Tensors<float>& t) {
    convolutions_.execute(op, t);
  }
  void execute(const ConvolutionBackwardWeights& op, const Tensors<float>& t) {
    convolutions_.execute(op, t);
    // By the pass, over what naive left.
    bias_gradient(op.grad_output, op.grad_bias, t);
  }
  void execute(const TransposedConvolution& op, const Tensors<float>& t) {
    convolutions_.execute(op, t);
  }
  void execute(const TransposedConvolutionBackwardData& op, const Tensors<float>& t) {
    convolutions_.execute(op, t);
  }
  void execute(const TransposedConvolutionBackwardWeights& op, const Tensors<float>& t) {
    convolutions_.execute(op, t);
    bias_gradient(op.grad_output, op.grad_bias, t);
  }
  std::string implementation(const Program&, const Op&) const { return "passes"; }

 private:
  NaiveKernels<float> convolutions_;
};

struct StepCase {
  std::int64_t filters, input_channels, classes, images;
  Dims dims;
};

class PassKernelsStep : public testing::TestWithParam<StepCase> {};

INSTANTIATE_TEST_SUITE_P(Networks, PassKernelsStep,
                         testing::Values(StepCase{8, 1, 1, 1, {32, 32, 16}},
                                         StepCase{4, 2, 3, 2, {16, 32, 32}}));

TEST_P(PassKernelsStep, IsTheStepOfNaiveInDouble) {
  const StepCase& c = GetParam();
  const Network network = unet3d({c.filters, c.input_channels, c.classes});
  const Program program = lower(network, c.images, c.dims, Mode::training);
  const Weights weights = verification_weights(program, 1);
  const Batch batch = synthetic_batch(c.images, c.dims, c.input_channels, c.classes, 1, 0);
  const InterpretedBackend<PassesWithNaiveConvolutions> backend("passes", "");
  const Verification verification = verify_step(backend, {Precision::fp32, 2, {}}, program, weights,
                                                batch, reference_step(program, weights, batch, 2));
  for (const TensorCheck& check : verification.checks) {
    EXPECT_LE(check.error, check.tolerance) << check.tensor;
  }
  EXPECT_GT(verification.checks.size(), 100U);
}

// Inference takes InferenceNormalizeRelu in place of the training ops.
TEST(PassKernels, InfersAsNaiveInDouble) {
  const Program program = lower(unet3d({4, 1, 1}), 1, {16, 16, 16}, Mode::inference);
  const Weights weights = verification_weights(program, 1);
  const Batch batch = synthetic_batch(1, {16, 16, 16}, 1, 1, 1, 0);
  const std::vector<TensorId> readable = {program.prediction};
  const auto prediction = [&](Executable& executable) {
    set_weights(executable, program, weights);
    executable.load(batch);
    executable.run();
    return read_tensor(executable, program, program.prediction);
  };
  Interpreter<PassesWithNaiveConvolutions> passes(program, {Precision::fp32, 2, readable});
  Interpreter<NaiveKernels<double>> naive(program, {Precision::fp64, 2, readable});
  const std::vector<double> found = prediction(passes), expected = prediction(naive);
  double spread = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], 1e-4);  // of [0, 1], fp32 rounding through 46 layers
    spread = std::max(spread, std::abs(expected[i] - expected[0]));
  }
  EXPECT_GT(spread, 0.01);
}

}  // namespace
}  // namespace voxmark

#include "workloads/network/work.h"

#include <algorithm>

#include "workloads/network/cost.h"

namespace voxmark {
namespace {

constexpr const char* kConvolution = "convolution";
constexpr const char* kTransposed = "transposed convolution";
constexpr const char* kNorm = "batch norm and ReLU";
constexpr const char* kPool = "pooling";
constexpr const char* kCopies = "concatenation and sums";
constexpr const char* kLoss = "output and loss";
constexpr const char* kUpdate = "update";

struct Classify {
  Work operator()(const Convolution&) const { return {kConvolution, "forward"}; }
  Work operator()(const ConvolutionBackwardData&) const { return {kConvolution, "backward_data"}; }
  Work operator()(const ConvolutionBackwardWeights&) const {
    return {kConvolution, "backward_weights"};
  }
  Work operator()(const TransposedConvolution&) const { return {kTransposed, "forward"}; }
  Work operator()(const TransposedConvolutionBackwardData&) const {
    return {kTransposed, "backward_data"};
  }
  Work operator()(const TransposedConvolutionBackwardWeights&) const {
    return {kTransposed, "backward_weights"};
  }
  Work operator()(const BatchNormStatistics&) const { return {kNorm, "forward"}; }
  Work operator()(const NormalizeRelu&) const { return {kNorm, "forward"}; }
  Work operator()(const InferenceNormalizeRelu&) const { return {kNorm, "forward"}; }
  Work operator()(const NormalizeReluReduce&) const { return {kNorm, "backward"}; }
  Work operator()(const NormalizeReluApply&) const { return {kNorm, "backward"}; }
  Work operator()(const MaxPool&) const { return {kPool, "forward"}; }
  Work operator()(const MaxPoolBackward&) const { return {kPool, "backward"}; }
  Work operator()(const Concat&) const { return {kCopies, "forward"}; }
  Work operator()(const Split&) const { return {kCopies, "backward"}; }
  Work operator()(const Add&) const { return {kCopies, "backward"}; }
  Work operator()(const Sigmoid&) const { return {kLoss, "forward"}; }
  Work operator()(const Softmax&) const { return {kLoss, "forward"}; }
  Work operator()(const DiceSums&) const { return {kLoss, "forward"}; }
  Work operator()(const DiceLoss&) const { return {kLoss, "forward"}; }
  Work operator()(const DiceGradient&) const { return {kLoss, "backward"}; }
  Work operator()(const SigmoidBackward&) const { return {kLoss, "backward"}; }
  Work operator()(const SoftmaxBackward&) const { return {kLoss, "backward"}; }
  Work operator()(const AdvanceIteration&) const { return {kUpdate, "update"}; }
  Work operator()(const Adam&) const { return {kUpdate, "update"}; }
  Work operator()(const UpdateMovingStatistics&) const { return {kUpdate, "update"}; }
};

}  // namespace

Work work_of(const Op& op) { return std::visit(Classify{}, op.kind); }

Work work_of(const Program& program, const std::vector<OpId>& ops) {
  const auto op_of = [&program](OpId id) -> const Op& {
    return program.ops.at(static_cast<std::size_t>(id));
  };
  const auto heaviest = std::max_element(ops.begin(), ops.end(), [&](OpId left, OpId right) {
    return flops(program, op_of(left)) < flops(program, op_of(right));
  });
  return heaviest == ops.end() ? Work{} : work_of(op_of(*heaviest));
}

}  // namespace voxmark

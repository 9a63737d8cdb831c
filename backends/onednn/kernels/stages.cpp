#include "backends/onednn/kernels/stages.h"

#include <algorithm>
#include <vector>

namespace voxmark::onednn {
namespace {

template <class... Kinds>
bool is_any(const Op& op) {
  return (std::holds_alternative<Kinds>(op.kind) || ...);
}

class Merging {
 public:
  Merging(const Program& program, std::span<const TensorId> readable)
      : readable_(readable), readers_(program.tensors.size(), 0) {
    for (const Op& op : program.ops) {
      for (const TensorId id : operands(op).reads) {
        ++readers_[static_cast<std::size_t>(id)];
      }
    }
  }

  // Whether op `next` joins the stage that ends with `last`; fills in what becomes internal.
  bool joins(const Op& last, const Op& next, StageOps& stage) const {
    if (is_any<Adam>(last) && is_any<Adam>(next)) {
      return true;
    }
    if (is_any<UpdateMovingStatistics>(last) && is_any<UpdateMovingStatistics>(next)) {
      return true;
    }
    if (is_any<Sigmoid, Softmax>(last) && is_any<DiceSums>(next)) {
      return std::get<DiceSums>(next.kind).prediction == operands(last).writes.front();
    }
    if (is_any<DiceGradient>(last) && is_any<SigmoidBackward, SoftmaxBackward>(next)) {
      return passes_on(std::get<DiceGradient>(last.kind).grad_prediction, next, stage);
    }
    if (is_any<MaxPoolBackward>(last) && is_any<Add>(next)) {
      return passes_on(std::get<MaxPoolBackward>(last.kind).grad_input, next, stage);
    }
    return false;
  }

 private:
  bool passes_on(TensorId id, const Op& next, StageOps& stage) const {
    const TensorList reads = operands(next).reads;
    const bool is_read = std::find(reads.begin(), reads.end(), id) != reads.end();
    const bool is_readable = std::find(readable_.begin(), readable_.end(), id) != readable_.end();
    if (!is_read || is_readable || readers_[static_cast<std::size_t>(id)] != 1) {
      return false;
    }
    stage.internal.push_back(id);
    return true;
  }

  std::span<const TensorId> readable_;
  std::vector<int> readers_;  // by TensorId
};

}  // namespace

bool is_prediction_op(const Op& op) {
  return is_any<Sigmoid, Softmax, DiceSums, DiceGradient, SigmoidBackward, SoftmaxBackward>(op);
}

bool is_convolution_op(const Op& op) {
  return is_any<Convolution, ConvolutionBackwardData, ConvolutionBackwardWeights>(op);
}

bool runs_on_views(const Op& op) {
  return is_any<BatchNormStatistics, NormalizeRelu, InferenceNormalizeRelu, NormalizeReluReduce,
                NormalizeReluApply, MaxPool, MaxPoolBackward, Add, TransposedConvolution,
                TransposedConvolutionBackwardData, TransposedConvolutionBackwardWeights>(op);
}

std::vector<StageOps> merge_ops(const Program& program, const Schedule& schedule,
                                std::span<const TensorId> readable) {
  const Merging merging(program, readable);
  const auto op_of = [&](OpId id) -> const Op& {
    return program.ops[static_cast<std::size_t>(id)];
  };
  std::vector<StageOps> stages;
  for (const ScheduledOp& next : schedule) {
    if (!stages.empty() && !next.recomputed && !stages.back().recomputed &&
        merging.joins(op_of(stages.back().ops.back()), op_of(next.op), stages.back())) {
      stages.back().ops.push_back(next.op);
    } else {
      stages.push_back({{next.op}, {}, next.recomputed});
    }
  }
  return stages;
}

}  // namespace voxmark::onednn

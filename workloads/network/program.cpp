#include "workloads/network/program.h"

#include <cmath>
#include <functional>
#include <numeric>

namespace voxmark {

std::int64_t elements(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

bool is_persistent(TensorRole role) {
  switch (role) {
    case TensorRole::parameter:
    case TensorRole::moving_statistic:
    case TensorRole::optimizer_state:
      return true;
    case TensorRole::input:
    case TensorRole::target:
    case TensorRole::parameter_gradient:
    case TensorRole::activation:
    case TensorRole::gradient:
    case TensorRole::reduction:
      return false;
  }
  return false;
}

TensorId Program::find(const std::string& name) const {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].name == name) {
      return static_cast<TensorId>(i);
    }
  }
  return kNoTensor;
}

double adam_step_size(const AdamSettings& settings, double t) {
  const auto as_float32 = [](double x) { return static_cast<double>(static_cast<float>(x)); };
  return settings.learning_rate * std::sqrt(1.0 - std::pow(as_float32(settings.beta2), t)) /
         (1.0 - std::pow(as_float32(settings.beta1), t));
}

namespace {

struct Described {
  const char* name;
  Operands operands;
};

struct Describe {
  Described operator()(const Convolution& op) const {
    return {"convolution", {{op.input, op.kernel, op.bias}, {op.output}}};
  }
  Described operator()(const TransposedConvolution& op) const {
    return {"transposed_convolution", {{op.input, op.kernel, op.bias}, {op.output}}};
  }
  Described operator()(const BatchNormStatistics& op) const {
    return {"batch_norm_statistics", {{op.input}, {op.statistics}}};
  }
  Described operator()(const NormalizeRelu& op) const {
    return {"normalize_relu", {{op.input, op.statistics, op.gamma, op.beta}, {op.output}}};
  }
  Described operator()(const InferenceNormalizeRelu& op) const {
    return {"inference_normalize_relu",
            {{op.input, op.moving_mean, op.moving_variance, op.gamma, op.beta}, {op.output}}};
  }
  Described operator()(const MaxPool& op) const { return {"max_pool", {{op.input}, {op.output}}}; }
  Described operator()(const Concat& op) const {
    return {"concat", {{op.first, op.second}, {op.output}}};
  }
  Described operator()(const Sigmoid& op) const { return {"sigmoid", {{op.input}, {op.output}}}; }
  Described operator()(const Softmax& op) const { return {"softmax", {{op.input}, {op.output}}}; }
  Described operator()(const DiceSums& op) const {
    return {"dice_sums", {{op.prediction, op.target}, {op.sums}}};
  }
  Described operator()(const DiceLoss& op) const {
    return {"dice_loss", {{op.sums}, {op.loss, op.gradient_coefficients}}};
  }
  Described operator()(const DiceGradient& op) const {
    return {"dice_gradient", {{op.target, op.gradient_coefficients}, {op.grad_prediction}}};
  }
  Described operator()(const SigmoidBackward& op) const {
    return {"sigmoid_backward", {{op.output, op.grad_output}, {op.grad_input}}};
  }
  Described operator()(const SoftmaxBackward& op) const {
    return {"softmax_backward", {{op.output, op.grad_output}, {op.grad_input}}};
  }
  Described operator()(const ConvolutionBackwardData& op) const {
    return {"convolution_backward_data", {{op.grad_output, op.kernel}, {op.grad_input}}};
  }
  Described operator()(const ConvolutionBackwardWeights& op) const {
    return {"convolution_backward_weights",
            {{op.input, op.grad_output}, {op.grad_kernel, op.grad_bias}}};
  }
  Described operator()(const TransposedConvolutionBackwardData& op) const {
    return {"transposed_convolution_backward_data", {{op.grad_output, op.kernel}, {op.grad_input}}};
  }
  Described operator()(const TransposedConvolutionBackwardWeights& op) const {
    return {"transposed_convolution_backward_weights",
            {{op.input, op.grad_output}, {op.grad_kernel, op.grad_bias}}};
  }
  Described operator()(const NormalizeReluReduce& op) const {
    return {"normalize_relu_reduce",
            {{op.input, op.statistics, op.gamma, op.beta, op.grad_output},
             {op.grad_gamma, op.grad_beta}}};
  }
  Described operator()(const NormalizeReluApply& op) const {
    return {
        "normalize_relu_apply",
        {{op.input, op.statistics, op.gamma, op.beta, op.grad_output, op.grad_gamma, op.grad_beta},
         {op.grad_input}}};
  }
  Described operator()(const MaxPoolBackward& op) const {
    return {"max_pool_backward", {{op.input, op.grad_output}, {op.grad_input}}};
  }
  Described operator()(const Split& op) const {
    return {"split", {{op.grad_output}, {op.grad_first, op.grad_second}}};
  }
  Described operator()(const Add& op) const { return {"add", {{op.first, op.second}, {op.sum}}}; }
  Described operator()(const AdvanceIteration& op) const {
    return {"advance_iteration", {{op.iteration}, {op.iteration}}};
  }
  Described operator()(const Adam& op) const {
    return {"adam",
            {{op.parameter, op.gradient, op.m, op.v, op.iteration}, {op.parameter, op.m, op.v}}};
  }
  Described operator()(const UpdateMovingStatistics& op) const {
    return {"update_moving_statistics",
            {{op.statistics, op.moving_mean, op.moving_variance},
             {op.moving_mean, op.moving_variance}}};
  }
};

}  // namespace

Operands operands(const Op& op) { return std::visit(Describe{}, op.kind).operands; }

std::string op_name(const Op& op) { return std::visit(Describe{}, op.kind).name; }

}  // namespace voxmark

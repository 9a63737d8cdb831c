#include "backends/passes/pass_kernels.h"

#include <algorithm>
#include <cassert>

namespace voxmark {
namespace {

passes::PanelShape panel_shape(const Shape& shape) {
  assert(shape.size() == 5);  // (N, D, H, W, C)
  return passes::channels_last(shape[0], shape[1], shape[2], shape[3], shape[4]);
}

passes::PredictionShape prediction_shape(const Shape& shape) {
  assert(shape.size() == 5);
  return {shape[0], shape[1] * shape[2] * shape[3], shape[4]};
}

passes::View<const float> in(const Tensors<float>& t, TensorId id) {
  return passes::in<float>(panel_shape(t.shape(id)), t.data(id));
}

passes::View<float> out(const Tensors<float>& t, TensorId id) {
  return passes::out<float>(panel_shape(t.shape(id)), t.data(id));
}

std::int64_t channels(const Tensors<float>& t, TensorId activation) {
  return t.shape(activation).back();
}

// A batch norm's coefficients lie in scratch, rewritten by each op: they are few.
template <class NormalizeOp>
float* forward_coefficients(const NormalizeOp& op, double epsilon, const Tensors<float>& t) {
  float* coefficients = reinterpret_cast<float*>(t.scratch());
  passes::forward_coefficients(channels(t, op.input), t.reduction(op.statistics), t.data(op.gamma),
                               t.data(op.beta), epsilon, coefficients);
  return coefficients;
}

std::int64_t coefficient_bytes(std::int64_t channels) {
  const std::int64_t bytes =
      passes::kCoefficientRows * channels * static_cast<std::int64_t>(sizeof(float));
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

}  // namespace

PassKernels::PassKernels(const Program& program, const CompileOptions& options)
    : batch_norm_(program.batch_norm), adam_(program.adam), threads_(options.threads) {}

std::int64_t PassKernels::scratch_bytes(const Program& program, const CompileOptions&) {
  std::int64_t bytes = 0;
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.role == TensorRole::activation || tensor.role == TensorRole::gradient) {
      bytes = std::max(bytes, coefficient_bytes(tensor.shape.back()) +
                                  passes::reduction_scratch_bytes(panel_shape(tensor.shape)));
    }
  }
  return std::max(bytes, passes::dice_scratch_bytes(
                             prediction_shape(program.tensor(program.prediction).shape)));
}

void PassKernels::execute(const BatchNormStatistics& op, const Tensors<float>& t) {
  passes::batch_norm_statistics(in(t, op.input), t.reduction(op.statistics), t.scratch(), threads_);
}

void PassKernels::execute(const NormalizeRelu& op, const Tensors<float>& t) {
  const float* coefficients = forward_coefficients(op, batch_norm_.epsilon, t);
  passes::normalize_relu(in(t, op.input), coefficients, out(t, op.output), threads_);
}

void PassKernels::execute(const InferenceNormalizeRelu& op, const Tensors<float>& t) {
  float* coefficients = reinterpret_cast<float*>(t.scratch());
  passes::inference_coefficients(channels(t, op.input), t.data(op.moving_mean),
                                 t.data(op.moving_variance), t.data(op.gamma), t.data(op.beta),
                                 batch_norm_.epsilon, coefficients);
  passes::normalize_relu(in(t, op.input), coefficients, out(t, op.output), threads_);
}

void PassKernels::execute(const NormalizeReluReduce& op, const Tensors<float>& t) {
  const float* coefficients = forward_coefficients(op, batch_norm_.epsilon, t);
  passes::normalize_relu_reduce(in(t, op.input), in(t, op.grad_output), coefficients,
                                t.data(op.grad_gamma), t.data(op.grad_beta),
                                t.scratch() + coefficient_bytes(channels(t, op.input)), threads_);
}

void PassKernels::execute(const NormalizeReluApply& op, const Tensors<float>& t) {
  float* coefficients = forward_coefficients(op, batch_norm_.epsilon, t);
  passes::backward_coefficients(channels(t, op.input), t.reduction(op.statistics)[0],
                                t.data(op.grad_gamma), t.data(op.grad_beta), coefficients);
  passes::normalize_relu_apply(in(t, op.input), in(t, op.grad_output), coefficients,
                               out(t, op.grad_input), threads_);
}

void PassKernels::execute(const MaxPool& op, const Tensors<float>& t) {
  passes::max_pool(in(t, op.input), out(t, op.output), threads_);
}

void PassKernels::execute(const MaxPoolBackward& op, const Tensors<float>& t) {
  passes::max_pool_backward(in(t, op.input), in(t, op.grad_output), out(t, op.grad_input),
                            threads_);
}

void PassKernels::execute(const Concat& op, const Tensors<float>& t) {
  const passes::PanelShape shape = panel_shape(t.shape(op.output));
  const std::int64_t first = channels(t, op.first), second = channels(t, op.second);
  passes::copy(in(t, op.first), passes::out_slice<float>(shape, t.data(op.output), 0, first),
               threads_);
  passes::copy(in(t, op.second), passes::out_slice<float>(shape, t.data(op.output), first, second),
               threads_);
}

void PassKernels::execute(const Split& op, const Tensors<float>& t) {
  const passes::PanelShape shape = panel_shape(t.shape(op.grad_output));
  const std::int64_t first = channels(t, op.grad_first), second = channels(t, op.grad_second);
  passes::copy(passes::in_slice<float>(shape, t.data(op.grad_output), 0, first),
               out(t, op.grad_first), threads_);
  passes::copy(passes::in_slice<float>(shape, t.data(op.grad_output), first, second),
               out(t, op.grad_second), threads_);
}

void PassKernels::execute(const Add& op, const Tensors<float>& t) {
  passes::add(in(t, op.first), in(t, op.second), out(t, op.sum), threads_);
}

void PassKernels::execute(const Sigmoid& op, const Tensors<float>& t) {
  passes::predict<float>(prediction_shape(t.shape(op.output)), false, t.data(op.input),
                         t.data(op.output), threads_);
}

void PassKernels::execute(const Softmax& op, const Tensors<float>& t) {
  passes::predict<float>(prediction_shape(t.shape(op.output)), true, t.data(op.input),
                         t.data(op.output), threads_);
}

void PassKernels::execute(const DiceSums& op, const Tensors<float>& t) {
  passes::dice_sums<float>(prediction_shape(t.shape(op.prediction)), t.data(op.prediction),
                           t.data(op.target), t.reduction(op.sums), t.scratch(), threads_);
}

void PassKernels::execute(const DiceLoss& op, const Tensors<float>& t) {
  const Shape& shape = t.shape(op.sums);
  passes::dice_loss(shape[0] * shape[1], t.reduction(op.sums), t.reduction(op.loss),
                    t.reduction(op.gradient_coefficients));
}

void PassKernels::execute(const DiceGradient& op, const Tensors<float>& t) {
  passes::dice_gradient<float>(elements(t.shape(op.target)), t.data(op.target),
                               t.reduction(op.gradient_coefficients), t.data(op.grad_prediction),
                               threads_);
}

void PassKernels::execute(const SigmoidBackward& op, const Tensors<float>& t) {
  passes::predict_backward<float>(prediction_shape(t.shape(op.output)), false, t.data(op.output),
                                  t.data(op.grad_output), t.data(op.grad_input), threads_);
}

void PassKernels::execute(const SoftmaxBackward& op, const Tensors<float>& t) {
  passes::predict_backward<float>(prediction_shape(t.shape(op.output)), true, t.data(op.output),
                                  t.data(op.grad_output), t.data(op.grad_input), threads_);
}

void PassKernels::execute(const AdvanceIteration& op, const Tensors<float>& t) {
  *t.data(op.iteration) += 1.0F;
}

void PassKernels::execute(const Adam& op, const Tensors<float>& t) {
  const double step_size = adam_step_size(adam_, static_cast<double>(*t.data(op.iteration)));
  passes::adam(elements(t.shape(op.parameter)), adam_, step_size, t.data(op.gradient),
               t.data(op.parameter), t.data(op.m), t.data(op.v), threads_);
}

void PassKernels::execute(const UpdateMovingStatistics& op, const Tensors<float>& t) {
  passes::update_moving_statistics(elements(t.shape(op.moving_mean)), t.reduction(op.statistics),
                                   batch_norm_.momentum, t.data(op.moving_mean),
                                   t.data(op.moving_variance));
}

void PassKernels::bias_gradient(TensorId grad_output, TensorId grad_bias,
                                const Tensors<float>& t) const {
  passes::channel_sums(in(t, grad_output), t.data(grad_bias), t.scratch(), threads_);
}

}  // namespace voxmark

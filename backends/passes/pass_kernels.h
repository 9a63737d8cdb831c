// Every op that is not a convolution, by the fast passes, channels last in float: what a Kernels
// class of interpreter.h inherits when it brings only its own convolutions.
//
//   class MyKernels : public PassKernels {
//    public:
//     using PassKernels::PassKernels;
//     using PassKernels::execute;
//     void execute(const Convolution& op, const Tensors<float>& t);   // and the other five
//     ...
#pragma once

#include <cstdint>

#include "backends/interpreter/interpreter.h"
#include "backends/passes/passes.h"

namespace voxmark {

class PassKernels {
 public:
  using Scalar = float;

  PassKernels(const Program& program, const CompileOptions& options);

  // What these ops need of Tensors::scratch(); they use it from its start.
  static std::int64_t scratch_bytes(const Program& program, const CompileOptions& options);

  void execute(const BatchNormStatistics& op, const Tensors<float>& t);
  void execute(const NormalizeRelu& op, const Tensors<float>& t);
  void execute(const InferenceNormalizeRelu& op, const Tensors<float>& t);
  void execute(const NormalizeReluReduce& op, const Tensors<float>& t);
  void execute(const NormalizeReluApply& op, const Tensors<float>& t);
  void execute(const MaxPool& op, const Tensors<float>& t);
  void execute(const MaxPoolBackward& op, const Tensors<float>& t);
  void execute(const Concat& op, const Tensors<float>& t);
  void execute(const Split& op, const Tensors<float>& t);
  void execute(const Add& op, const Tensors<float>& t);
  void execute(const Sigmoid& op, const Tensors<float>& t);
  void execute(const Softmax& op, const Tensors<float>& t);
  void execute(const DiceSums& op, const Tensors<float>& t);
  void execute(const DiceLoss& op, const Tensors<float>& t);
  void execute(const DiceGradient& op, const Tensors<float>& t);
  void execute(const SigmoidBackward& op, const Tensors<float>& t);
  void execute(const SoftmaxBackward& op, const Tensors<float>& t);
  void execute(const AdvanceIteration& op, const Tensors<float>& t);
  void execute(const Adam& op, const Tensors<float>& t);
  void execute(const UpdateMovingStatistics& op, const Tensors<float>& t);

 protected:
  // grad_bias = sums of grad_output (N, D, H, W, C) over all but C, for the convolutions' backward.
  // Uses scratch: reduction_scratch_bytes of the op's output, which scratch_bytes() covers.
  void bias_gradient(TensorId grad_output, TensorId grad_bias, const Tensors<float>& t) const;
  int threads() const { return threads_; }

 private:
  BatchNormSettings batch_norm_;
  AdamSettings adam_;
  int threads_;
};

}  // namespace voxmark

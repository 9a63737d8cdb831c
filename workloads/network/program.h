// The network lowered for one shape: typed ops over named tensors, gradients and update explicit.
//
// Values, no behaviour: every backend receives the same mathematics from here and decides for
// itself how to lay out, fuse and schedule it. What couples the samples of a batch (batch-norm
// statistics, loss sums) is an op of its own, so that tiling, recomputation and synchronised
// training never change the mathematics. Arithmetic: design of Keras 3 and of the white paper's
// model; each op's comment states it.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <variant>
#include <vector>

#include "workloads/network/batch.h"
#include "workloads/network/network.h"

namespace voxmark {

using TensorId = std::int32_t;  // index into Program::tensors
using OpId = std::int32_t;      // index into Program::ops
constexpr TensorId kNoTensor = -1;

// Activations and images: (N, D, H, W, C). Conv3D kernels: (k0, k1, k2, in, out). Transposed
// kernels: (k0, k1, k2, out, in). Vectors: (C).
using Shape = std::vector<std::int64_t>;
std::int64_t elements(const Shape& shape);

enum class TensorRole {
  input,               // image batch
  target,              // 0 or 1 per voxel and output channel
  parameter,           // trainable
  moving_statistic,    // of batch norm; updated, not trained
  optimizer_state,     // Adam's m and v, in the shape of their parameter
  parameter_gradient,  // in the shape of its parameter
  activation,          // computed by the forward pass
  gradient,            // of an activation
  reduction,           // few values that couple the batch, held in double by every backend
};

struct TensorInfo {
  std::string name;  // parameters as Keras names them: "encodeA_conv0/kernel"
  Shape shape;
  TensorRole role = TensorRole::activation;
};

// Backends hold these tensors from step to step; set() and read() reach them.
bool is_persistent(TensorRole role);

// ---- Forward ops ----

// output = 'same' convolution of input with kernel, plus bias.
struct Convolution {
  TensorId input, kernel, bias, output;
};

// 2x2x2 kernel, stride 2: output[2d+a, 2h+b, 2w+c, o] = bias[o] + sum_i input[d,h,w,i] *
// k[a,b,c,o,i].
struct TransposedConvolution {
  TensorId input, kernel, bias, output;
};

// statistics (3, C): count, mean, and M2 = sum of squared deviations, over (N, D, H, W).
// The variance of batch norm is the biased one, M2 / count.
struct BatchNormStatistics {
  TensorId input, statistics;
};

// output = max(0, gamma * (input - mean) / sqrt(M2 / count + epsilon) + beta).
struct NormalizeRelu {
  TensorId input, statistics, gamma, beta, output;
};

// The same with moving statistics, for inference.
struct InferenceNormalizeRelu {
  TensorId input, moving_mean, moving_variance, gamma, beta, output;
};

// 2x2x2, stride 2.
struct MaxPool {
  TensorId input, output;
};

// output channels: first's, then second's.
struct Concat {
  TensorId first, second, output;
};

struct Sigmoid {
  TensorId input, output;
};

// Over channels.
struct Softmax {
  TensorId input, output;
};

// sums (N, C, 6), per sample and output channel over its voxels; p prediction, t target,
// r the hard prediction (p > 0.5 for one channel, the first largest channel of several):
// sum p*t, sum p, sum t, sum t*r, sum r, count of r == t.
struct DiceSums {
  TensorId prediction, target, sums;
};
constexpr std::int64_t kDiceSumCount = 6;

// loss (1) = -log(2 * mean(sum p*t + s)) + log(mean(sum t + sum p + s)), means over batch and
// channels, s = kDiceSmooth; gradient_coefficients (2): dloss/dp = c[0] * t + c[1].
struct DiceLoss {
  TensorId sums, loss, gradient_coefficients;
};
constexpr double kDiceSmooth = 1e-4;

// ---- Backward ops (grad_x is the loss's gradient in x) ----

struct DiceGradient {
  TensorId target, gradient_coefficients, grad_prediction;
};
struct SigmoidBackward {
  TensorId output, grad_output, grad_input;
};
struct SoftmaxBackward {
  TensorId output, grad_output, grad_input;
};
struct ConvolutionBackwardData {
  TensorId grad_output, kernel, grad_input;
};
struct ConvolutionBackwardWeights {
  TensorId input, grad_output, grad_kernel, grad_bias;
};
struct TransposedConvolutionBackwardData {
  TensorId grad_output, kernel, grad_input;
};
struct TransposedConvolutionBackwardWeights {
  TensorId input, grad_output, grad_kernel, grad_bias;
};

// With x the input, n = (x - mean) / sqrt(M2 / count + epsilon) and dy = grad_output where
// gamma * n + beta > 0, else 0: grad_beta = sum dy, grad_gamma = sum dy * n.
struct NormalizeReluReduce {
  TensorId input, statistics, gamma, beta, grad_output, grad_gamma, grad_beta;
};

// grad_input = gamma / sqrt(variance + epsilon) * (dy - grad_beta / count - n * grad_gamma /
// count).
struct NormalizeReluApply {
  TensorId input, statistics, gamma, beta, grad_output, grad_gamma, grad_beta, grad_input;
};

// Each window's gradient goes to its first maximum in (d, h, w) order, zero elsewhere.
struct MaxPoolBackward {
  TensorId input, grad_output, grad_input;
};

// The inverse of Concat.
struct Split {
  TensorId grad_output, grad_first, grad_second;
};

// sum = first + second: gradients of a tensor with two readers.
struct Add {
  TensorId first, second, sum;
};

// ---- Update ops ----

// iteration (1) += 1, before the Adam ops of the same update read it as t.
struct AdvanceIteration {
  TensorId iteration;
};

// m += (1 - beta1) * (g - m); v += (1 - beta2) * (g*g - v);
// parameter -= adam_step_size(settings, t) * m / (sqrt(v) + epsilon).
struct Adam {
  TensorId parameter, gradient, m, v, iteration;
};

// moving = momentum * moving + (1 - momentum) * batch, with the biased variance, as Keras 3 does.
struct UpdateMovingStatistics {
  TensorId statistics, moving_mean, moving_variance;
};

using OpKind =
    std::variant<Convolution, TransposedConvolution, BatchNormStatistics, NormalizeRelu,
                 InferenceNormalizeRelu, MaxPool, Concat, Sigmoid, Softmax, DiceSums, DiceLoss,
                 DiceGradient, SigmoidBackward, SoftmaxBackward, ConvolutionBackwardData,
                 ConvolutionBackwardWeights, TransposedConvolutionBackwardData,
                 TransposedConvolutionBackwardWeights, NormalizeReluReduce, NormalizeReluApply,
                 MaxPoolBackward, Split, Add, AdvanceIteration, Adam, UpdateMovingStatistics>;

enum class Phase { forward, backward, update };

struct Op {
  OpKind kind;
  Phase phase = Phase::forward;
  std::string layer;  // the layer it belongs to
};

// A few tensors, without memory of their own: who plans a step asks for operands a million times.
class TensorList {
 public:
  TensorList(std::initializer_list<TensorId> ids) : size_(ids.size()) {
    assert(size_ <= ids_.size());
    std::copy(ids.begin(), ids.end(), ids_.begin());
  }
  const TensorId* begin() const { return ids_.data(); }
  const TensorId* end() const { return ids_.data() + size_; }
  bool empty() const { return size_ == 0; }
  TensorId front() const { return ids_[0]; }

 private:
  std::array<TensorId, 7> ids_{};
  std::size_t size_;
};

struct Operands {
  TensorList reads;
  TensorList writes;
};
// Which tensors an op reads and writes. A tensor updated in place stands in both.
Operands operands(const Op& op);

// "convolution_backward_weights" and so on, for reports and messages.
std::string op_name(const Op& op);

// Hyperparameters; part of the mathematics, so part of the program.
struct BatchNormSettings {
  double epsilon = 1e-3;
  double momentum = 0.99;
  // Of a step of several ranks: over the images of all, as one process has it, or each rank over
  // its own, as Horovod and DistributedDataParallel do.
  bool across_ranks = true;
};
struct AdamSettings {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-7;
};
// lr * sqrt(1 - beta2^t) / (1 - beta1^t) for t = 1, 2, ...; the powers are those of the betas
// rounded to float32, as Keras takes them.
double adam_step_size(const AdamSettings& settings, double t);

enum class Mode { training, inference };

struct Program {
  Mode mode = Mode::training;
  std::int64_t images = 0;  // N
  Dims dims;
  BatchNormSettings batch_norm;
  AdamSettings adam;
  std::vector<TensorInfo> tensors;
  std::vector<Op> ops;  // a valid order of execution; phases do not mix
  TensorId input = kNoTensor;
  TensorId target = kNoTensor;
  TensorId prediction = kNoTensor;
  TensorId sums = kNoTensor;
  TensorId loss = kNoTensor;

  const TensorInfo& tensor(TensorId id) const { return tensors.at(static_cast<std::size_t>(id)); }
  // kNoTensor when there is none of that name.
  TensorId find(const std::string& name) const;
};

// The program of one step: training is forward, backward and update; inference is forward with
// moving statistics, and the loss sums. Throws Error (bad_input) when images < 1, or when a pooling
// would not divide the dims.
Program lower(const Network& network, std::int64_t images, const Dims& dims, Mode mode);

}  // namespace voxmark

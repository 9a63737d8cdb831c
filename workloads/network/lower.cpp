// lower(): a network, a batch size and image dims become a Program.

#include <cassert>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "workloads/network/program.h"

namespace voxmark {
namespace {

struct LayerTensors {
  TensorId output = kNoTensor;
  // Of convolutions: kernel, bias. Of batch norm: gamma, beta, and what follows.
  TensorId kernel = kNoTensor, bias = kNoTensor;
  TensorId gamma = kNoTensor, beta = kNoTensor;
  TensorId moving_mean = kNoTensor, moving_variance = kNoTensor, statistics = kNoTensor;
};

class Lowering {
 public:
  Lowering(const Network& network, std::int64_t images, const Dims& dims, Mode mode)
      : network_(network), layers_(network.layers.size()), dims_(network.layers.size()) {
    program_.mode = mode;
    program_.images = images;
    program_.dims = dims;
  }

  Program lower() && {
    for (std::size_t i = 0; i < network_.layers.size(); ++i) {
      forward(i);
    }
    loss();
    if (program_.mode == Mode::training) {
      for (std::size_t i = network_.layers.size(); i-- > 1;) {
        backward(i);
      }
      update();
    }
    return std::move(program_);
  }

 private:
  bool training() const { return program_.mode == Mode::training; }

  TensorId tensor(std::string name, Shape shape, TensorRole role) {
    program_.tensors.push_back({std::move(name), std::move(shape), role});
    return static_cast<TensorId>(program_.tensors.size()) - 1;
  }

  Shape activation_shape(std::size_t layer) const {
    const Dims& dims = dims_[layer];
    return {program_.images, dims.d, dims.h, dims.w, network_.layers[layer].channels};
  }

  // Of a layer that has one: all but the network's input do.
  TensorId input_of(const Layer& layer, std::size_t which = 0) const {
    return layers_[static_cast<std::size_t>(layer.inputs.at(which))].output;
  }

  TensorId like(TensorId id, std::string name, TensorRole role) {
    return tensor(std::move(name), program_.tensor(id).shape, role);
  }

  void emit(OpKind kind, Phase phase, const std::string& layer) {
    program_.ops.push_back({std::move(kind), phase, layer});
  }

  // A trainable parameter; its Adam op is emitted at the end, in this order.
  TensorId parameter(const std::string& name, Shape shape) {
    const TensorId id = tensor(name, std::move(shape), TensorRole::parameter);
    parameters_.push_back(id);
    return id;
  }

  // The gradient tensor of a parameter.
  TensorId parameter_gradient(TensorId id) {
    const TensorId gradient =
        like(id, "gradient/" + program_.tensor(id).name, TensorRole::parameter_gradient);
    gradients_[id] = gradient;
    return gradient;
  }

  void forward(std::size_t index) {
    const Layer& layer = network_.layers[index];
    LayerTensors& own = layers_[index];
    dims_[index] = output_dims(index);
    own.output =
        tensor(layer.name, activation_shape(index),
               layer.kind == LayerKind::input ? TensorRole::input : TensorRole::activation);
    switch (layer.kind) {
      case LayerKind::input:
        program_.input = own.output;
        break;
      case LayerKind::convolution:
        convolution(layer, own);
        break;
      case LayerKind::transposed_convolution:
        transposed_convolution(layer, own);
        break;
      case LayerKind::batch_norm_relu:
        batch_norm(layer, own);
        break;
      case LayerKind::max_pool:
        emit(MaxPool{input_of(layer), own.output}, Phase::forward, layer.name);
        break;
      case LayerKind::concat:
        emit(Concat{input_of(layer), input_of(layer, 1), own.output}, Phase::forward, layer.name);
        break;
      case LayerKind::sigmoid:
        emit(Sigmoid{input_of(layer), own.output}, Phase::forward, layer.name);
        break;
      case LayerKind::softmax:
        emit(Softmax{input_of(layer), own.output}, Phase::forward, layer.name);
        break;
    }
  }

  std::int64_t input_channels(const Layer& layer) const {
    return program_.tensor(input_of(layer)).shape.back();
  }

  void convolution(const Layer& layer, LayerTensors& own) {
    const std::int64_t k = layer.extent;
    own.kernel =
        parameter(layer.name + "/kernel", {k, k, k, input_channels(layer), layer.channels});
    own.bias = parameter(layer.name + "/bias", {layer.channels});
    emit(Convolution{input_of(layer), own.kernel, own.bias, own.output}, Phase::forward,
         layer.name);
  }

  void transposed_convolution(const Layer& layer, LayerTensors& own) {
    const std::int64_t k = layer.extent;
    own.kernel =
        parameter(layer.name + "/kernel", {k, k, k, layer.channels, input_channels(layer)});
    own.bias = parameter(layer.name + "/bias", {layer.channels});
    emit(TransposedConvolution{input_of(layer), own.kernel, own.bias, own.output}, Phase::forward,
         layer.name);
  }

  void batch_norm(const Layer& layer, LayerTensors& own) {
    const TensorId input = input_of(layer);
    const Shape channels = {layer.channels};
    own.gamma = parameter(layer.name + "/gamma", channels);
    own.beta = parameter(layer.name + "/beta", channels);
    own.moving_mean = tensor(layer.name + "/moving_mean", channels, TensorRole::moving_statistic);
    own.moving_variance =
        tensor(layer.name + "/moving_variance", channels, TensorRole::moving_statistic);
    if (!training()) {
      emit(InferenceNormalizeRelu{input, own.moving_mean, own.moving_variance, own.gamma, own.beta,
                                  own.output},
           Phase::forward, layer.name);
      return;
    }
    own.statistics = tensor(layer.name + "/statistics", {3, layer.channels}, TensorRole::reduction);
    emit(BatchNormStatistics{input, own.statistics}, Phase::forward, layer.name);
    emit(NormalizeRelu{input, own.statistics, own.gamma, own.beta, own.output}, Phase::forward,
         layer.name);
  }

  Dims output_dims(std::size_t index) const {
    const Layer& layer = network_.layers[index];
    if (layer.kind == LayerKind::input) {
      return program_.dims;
    }
    const Dims& in = dims_[static_cast<std::size_t>(layer.inputs.at(0))];
    if (layer.kind == LayerKind::max_pool) {
      if (in.d % 2 != 0 || in.h % 2 != 0 || in.w % 2 != 0) {
        throw_bad_input("image {}: layer {} halves {}, expected even dims",
                        to_string(program_.dims), layer.name, to_string(in));
      }
      return {in.d / 2, in.h / 2, in.w / 2};
    }
    if (layer.kind == LayerKind::transposed_convolution) {
      return {in.d * 2, in.h * 2, in.w * 2};
    }
    return in;
  }

  void loss() {
    const Layer& last = network_.layers.back();
    program_.prediction = layers_.back().output;
    const Shape shape = program_.tensor(program_.prediction).shape;
    program_.target = tensor("target", shape, TensorRole::target);
    program_.sums =
        tensor("dice/sums", {program_.images, last.channels, kDiceSumCount}, TensorRole::reduction);
    program_.loss = tensor("loss", {1}, TensorRole::reduction);
    coefficients_ = tensor("dice/gradient_coefficients", {2}, TensorRole::reduction);
    emit(DiceSums{program_.prediction, program_.target, program_.sums}, Phase::forward, "loss");
    emit(DiceLoss{program_.sums, program_.loss, coefficients_}, Phase::forward, "loss");
    if (training()) {
      const TensorId gradient =
          like(program_.prediction, "gradient/" + last.name, TensorRole::gradient);
      emit(DiceGradient{program_.target, coefficients_, gradient}, Phase::backward, "loss");
      gradients_[program_.prediction] = gradient;
    }
  }

  // A new gradient tensor for activation `id`; where it has one already (two readers), their sum
  // takes its place. Returns the tensor the caller's op must write; call add_up() afterwards.
  TensorId new_gradient(TensorId id) {
    const std::string& name = program_.tensor(id).name;
    if (!gradients_.contains(id)) {
      return gradients_[id] = like(id, "gradient/" + name, TensorRole::gradient);
    }
    return like(id, "gradient/" + name + "/second", TensorRole::gradient);
  }

  void add_up(TensorId id, TensorId written, const std::string& layer) {
    TensorId& gradient = gradients_.at(id);
    if (gradient == written) {
      return;
    }
    const TensorId sum =
        like(id, "gradient/" + program_.tensor(id).name + "/sum", TensorRole::gradient);
    emit(Add{gradient, written, sum}, Phase::backward, layer);
    gradient = sum;
  }

  void backward(std::size_t index) {
    const Layer& layer = network_.layers[index];
    const LayerTensors& own = layers_[index];
    const TensorId grad_output = gradients_.at(own.output);
    switch (layer.kind) {
      case LayerKind::input:
        break;
      case LayerKind::convolution:
        convolution_backward<ConvolutionBackwardWeights, ConvolutionBackwardData>(layer, own,
                                                                                  grad_output);
        break;
      case LayerKind::transposed_convolution:
        convolution_backward<TransposedConvolutionBackwardWeights,
                             TransposedConvolutionBackwardData>(layer, own, grad_output);
        break;
      case LayerKind::batch_norm_relu:
        batch_norm_backward(layer, own, grad_output);
        break;
      case LayerKind::max_pool:
        propagate(layer, [&](TensorId grad_input) {
          return MaxPoolBackward{input_of(layer), grad_output, grad_input};
        });
        break;
      case LayerKind::concat:
        concat_backward(layer, grad_output);
        break;
      case LayerKind::sigmoid:
        propagate(layer, [&](TensorId grad_input) {
          return SigmoidBackward{own.output, grad_output, grad_input};
        });
        break;
      case LayerKind::softmax:
        propagate(layer, [&](TensorId grad_input) {
          return SoftmaxBackward{own.output, grad_output, grad_input};
        });
        break;
    }
  }

  // Emits make_op(gradient of the layer's input), and adds that gradient to what other readers of
  // the input left.
  template <class MakeOp>
  void propagate(const Layer& layer, MakeOp make_op) {
    const TensorId input = input_of(layer);
    if (input == program_.input) {
      return;  // the images' own gradient is needed by nobody
    }
    const TensorId grad_input = new_gradient(input);
    emit(make_op(grad_input), Phase::backward, layer.name);
    add_up(input, grad_input, layer.name);
  }

  template <class BackwardWeights, class BackwardData>
  void convolution_backward(const Layer& layer, const LayerTensors& own, TensorId grad_output) {
    const TensorId grad_kernel = parameter_gradient(own.kernel);
    const TensorId grad_bias = parameter_gradient(own.bias);
    emit(BackwardWeights{input_of(layer), grad_output, grad_kernel, grad_bias}, Phase::backward,
         layer.name);
    propagate(layer, [&](TensorId grad_input) {
      return BackwardData{grad_output, own.kernel, grad_input};
    });
  }

  void batch_norm_backward(const Layer& layer, const LayerTensors& own, TensorId grad_output) {
    const TensorId input = input_of(layer);
    const TensorId grad_gamma = parameter_gradient(own.gamma);
    const TensorId grad_beta = parameter_gradient(own.beta);
    emit(NormalizeReluReduce{input, own.statistics, own.gamma, own.beta, grad_output, grad_gamma,
                             grad_beta},
         Phase::backward, layer.name);
    propagate(layer, [&](TensorId grad_input) {
      return NormalizeReluApply{input,       own.statistics, own.gamma, own.beta,
                                grad_output, grad_gamma,     grad_beta, grad_input};
    });
  }

  void concat_backward(const Layer& layer, TensorId grad_output) {
    const TensorId first = input_of(layer), second = input_of(layer, 1);
    const TensorId grad_first = new_gradient(first);
    const TensorId grad_second = new_gradient(second);
    emit(Split{grad_output, grad_first, grad_second}, Phase::backward, layer.name);
    add_up(first, grad_first, layer.name);
    add_up(second, grad_second, layer.name);
  }

  void update() {
    const TensorId iteration = tensor("optimizer/iteration", {1}, TensorRole::optimizer_state);
    emit(AdvanceIteration{iteration}, Phase::update, "optimizer");
    for (const TensorId id : parameters_) {
      const std::string name = program_.tensor(id).name;
      const TensorId m = like(id, "optimizer/m/" + name, TensorRole::optimizer_state);
      const TensorId v = like(id, "optimizer/v/" + name, TensorRole::optimizer_state);
      emit(Adam{id, gradients_.at(id), m, v, iteration}, Phase::update, "optimizer");
    }
    for (const LayerTensors& own : layers_) {
      if (own.statistics != kNoTensor) {
        emit(UpdateMovingStatistics{own.statistics, own.moving_mean, own.moving_variance},
             Phase::update, "batch_norm");
      }
    }
  }

  const Network& network_;
  std::vector<LayerTensors> layers_;
  std::vector<Dims> dims_;  // of each layer's output
  std::vector<TensorId> parameters_;
  std::map<TensorId, TensorId> gradients_;
  TensorId coefficients_ = kNoTensor;
  Program program_;
};

}  // namespace

Program lower(const Network& network, std::int64_t images, const Dims& dims, Mode mode) {
  if (images < 1) {
    throw_bad_input("batch = {}, expected at least 1", images);
  }
  if (dims.d < 1 || dims.h < 1 || dims.w < 1) {
    throw_bad_input("image {}: expected every dim to be at least 1", to_string(dims));
  }
  assert(!network.layers.empty() && network.layers.front().kind == LayerKind::input);
  return Lowering(network, images, dims, mode).lower();
}

}  // namespace voxmark

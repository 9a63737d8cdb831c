#include "benches/micro/isolated_layer.h"

#include <cassert>
#include <utility>

namespace voxmark {
namespace {

bool is_prediction(const Layer& layer) {
  return layer.kind == LayerKind::sigmoid || layer.kind == LayerKind::softmax;
}

// Adds the layer after `from`; its index in `net`, or -1 for the input.
int add_layer(NetworkBuilder& net, const Layer& layer, const std::vector<int>& from) {
  switch (layer.kind) {
    case LayerKind::convolution:
      return net.convolution(layer.name, from[0], layer.channels, layer.extent);
    case LayerKind::batch_norm_relu:
      return net.batch_norm_relu(layer.name, from[0]);
    case LayerKind::max_pool:
      return net.max_pool(layer.name, from[0]);
    case LayerKind::transposed_convolution:
      return net.transposed_convolution(layer.name, from[0], layer.channels);
    case LayerKind::concat:
      return net.concat(layer.name, from[0], from[1]);
    case LayerKind::sigmoid:
      return net.sigmoid(layer.name, from[0]);
    case LayerKind::softmax:
      return net.softmax(layer.name, from[0]);
    case LayerKind::input:
      break;
  }
  return -1;
}

// The layer's small network; one without layers for the input.
Network surround(const Network& network, const Layer& layer) {
  const auto source = [&](std::size_t i) -> const Layer& {
    return network.layers[static_cast<std::size_t>(layer.inputs[i])];
  };
  // The model's first convolution needs no gradient of its input, here as there.
  const bool is_first = !layer.inputs.empty() && source(0).kind == LayerKind::input;
  NetworkBuilder net(layer.name, is_first ? source(0).channels : 1);
  std::vector<int> from;
  for (std::size_t i = 0; i < layer.inputs.size(); ++i) {
    from.push_back(
        is_first ? net.input()
                 : net.convolution("stem" + std::to_string(i), net.input(), source(i).channels, 1));
  }
  const int tested = add_layer(net, layer, from);
  if (tested < 0) {
    return {};
  }
  if (!is_prediction(layer)) {
    net.sigmoid("prediction", net.convolution("head", tested, 1, 1));
  }
  return std::move(net).build();
}

}  // namespace

std::vector<IsolatedLayer> isolate_layers(const Network& network, std::int64_t images,
                                          const Dims& dims) {
  const Program whole = lower(network, images, dims, Mode::training);
  std::vector<IsolatedLayer> isolated;
  for (const Layer& layer : network.layers) {
    const Network small = surround(network, layer);
    if (small.layers.empty()) {
      continue;
    }
    const Layer& source = network.layers[static_cast<std::size_t>(layer.inputs[0])];
    const Shape& shape = whole.tensor(whole.find(source.name)).shape;  // (N, D, H, W, C)
    IsolatedLayer own{
        layer.name, lower(small, images, {shape[1], shape[2], shape[3]}, Mode::training), {}};
    IsolatedLayer loss{"loss", own.program, {}};
    bool learns = false;
    for (const Op& op : own.program.ops) {
      if (op.layer == layer.name) {
        own.ops.push_back(op_name(op));
      } else if (op.layer == loss.name) {
        loss.ops.push_back(op_name(op));
      }
      const auto* adam = std::get_if<Adam>(&op.kind);
      learns = learns || (adam != nullptr &&
                          own.program.tensor(adam->parameter).name.starts_with(layer.name + "/"));
    }
    if (learns) {
      own.ops.emplace_back(kUpdate);
    }
    isolated.push_back(std::move(own));
    if (is_prediction(layer)) {
      isolated.push_back(std::move(loss));
    }
  }
  return isolated;
}

OpId find_op(const IsolatedLayer& layer, const std::string& op) {
  const std::vector<Op>& ops = layer.program.ops;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (ops[i].layer == layer.name && op_name(ops[i]) == op) {
      return static_cast<OpId>(i);
    }
  }
  assert(false);
  return -1;
}

}  // namespace voxmark

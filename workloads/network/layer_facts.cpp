#include "workloads/network/layer_facts.h"

#include <map>
#include <string_view>

#include "workloads/network/cost.h"

namespace voxmark {

std::vector<LayerFacts> layer_facts(const Network& network, const Program& program) {
  std::vector<LayerFacts> facts;
  std::map<std::string, std::size_t> places;
  for (const Layer& layer : network.layers) {
    places[layer.name] = facts.size();
    facts.push_back({layer.name, layer.kind, program.tensor(program.find(layer.name)).shape});
  }
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    const TensorInfo& tensor = program.tensors[i];
    const auto place = places.find(layer_of(program, static_cast<TensorId>(i)));
    if (place == places.end()) {
      continue;
    }
    if (tensor.role == TensorRole::parameter) {
      facts[place->second].trainable += elements(tensor.shape);
    } else if (tensor.role == TensorRole::moving_statistic) {
      facts[place->second].moving_statistics += elements(tensor.shape);
    }
  }
  for (const Op& op : program.ops) {
    const auto place = places.find(op.layer);
    if (place != places.end()) {
      LayerFacts& own = facts[place->second];
      (op.phase == Phase::forward ? own.forward_flops : own.backward_flops) += flops(program, op);
    }
  }
  return facts;
}

std::string layer_of(const Program& program, TensorId id) {
  // The names that lower() gives: "encodeA_conv0/kernel", "gradient/encodeA_bn0/sum",
  // "optimizer/m/encodeA_conv0/kernel", "optimizer/iteration", "dice/sums", "target".
  std::string_view name = program.tensor(id).name;
  for (const std::string_view prefix : {"gradient/", "optimizer/m/", "optimizer/v/"}) {
    if (name.starts_with(prefix)) {
      name.remove_prefix(prefix.size());
      break;
    }
  }
  const std::string_view first = name.substr(0, name.find('/'));
  return first == "dice" || first == "target" ? "loss" : std::string(first);
}

TensorId activation_of(const Program& program, TensorId gradient) {
  return program.find(layer_of(program, gradient));  // a layer's output has the layer's name
}

}  // namespace voxmark

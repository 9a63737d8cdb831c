// What each layer of a network puts out, learns and computes, and which layer a tensor is of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workloads/network/network.h"
#include "workloads/network/program.h"

namespace voxmark {

struct LayerFacts {
  std::string name;
  LayerKind kind = LayerKind::input;
  Shape output;  // (N, D, H, W, C)
  std::int64_t trainable = 0;
  std::int64_t moving_statistics = 0;
  // Nominal work (cost.h). Backward: of the gradients of its input and of its parameters.
  std::int64_t forward_flops = 0;
  std::int64_t backward_flops = 0;

  std::int64_t parameters() const { return trainable + moving_statistics; }
  std::int64_t step_flops() const { return forward_flops + backward_flops; }
};

// In the network's order. `program`: what lower() made of this network.
std::vector<LayerFacts> layer_facts(const Network& network, const Program& program);

// The layer that a tensor belongs to: of its output, of the gradients of that, of its parameters
// and their state. What no layer has is of the "loss" (the target among it) or the "optimizer".
std::string layer_of(const Program& program, TensorId id);
// The activation that a gradient is of.
TensorId activation_of(const Program& program, TensorId gradient);

}  // namespace voxmark

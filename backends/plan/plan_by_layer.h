// A plan's bytes by layer: what lies in memory when most of it is in use. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "workloads/network/layer_facts.h"
#include "workloads/network/network.h"

namespace voxmark {

// What becomes of a layer's output between its forward and its backward pass.
enum class Keeping {
  not_kept,        // no later op reads it, or it is of no layer
  kept,            // it stays
  computed_again,  // it is dropped, and comes back
  in_another,      // its memory is part of another layer's that is kept: LayerBytes::lies_in
};
std::string to_string(Keeping keeping);

// Of one row, bytes at the peak. They add up to the plan's total over all rows.
struct LayerBytes {
  std::string layer;                // of the network; else "loss", "optimizer", kWorkspace, kGaps
  std::optional<LayerFacts> facts;  // of a layer of the network
  std::int64_t forward = 0;   // its output and statistics; of the input and the loss, the batch
  std::int64_t backward = 0;  // the gradients of its output
  std::int64_t weights = 0;   // its parameters, their gradients, their optimizer state
  std::int64_t other = 0;
  Keeping keeping = Keeping::not_kept;
  std::string lies_in;    // a layer
  std::int64_t kept = 0;  // what the backward pass finds kept of its output
  // Memory of its own that its output and their gradients have at any time; not of the peak.
  std::int64_t output_bytes = 0, gradient_bytes = 0;

  std::int64_t total() const { return forward + backward + weights + other; }
};

constexpr const char* kWorkspace = "workspace";  // scratch of what runs at the peak
// Between buffers of the arena: each is placed once for all of its life, and aligned.
constexpr const char* kGaps = "gaps";

struct LayeredBuffer {
  std::string layer;
  std::vector<std::string> tensors;  // empty: scratch
  std::int64_t bytes = 0;
  int first_step = 0, last_step = 0;
  bool at_peak = false;
};

struct PlanByLayer {
  std::vector<LayerBytes> rows;  // layers in the network's order first
  std::vector<LayeredBuffer> buffers;
  std::int64_t total_bytes = 0;  // of the plan
  // The step at which most bytes are in use, of so many. No peak: all is in use at the end.
  std::optional<int> peak_step;
  int steps = 0;
  std::string peak_op, peak_layer, peak_phase;  // "normalize_relu_apply", "convOut_bn1", "backward"
};

// Throws Error (bad_input) naming `backend` where its plan does not tell what lies where.
PlanByLayer plan_by_layer(const std::string& backend, const Network& network,
                          const Program& program, const MemoryPlan& plan);

}  // namespace voxmark

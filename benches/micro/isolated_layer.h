// One layer of the model in a network of its own, so that one op can be timed and profiled.
//
// The layer stands between a 1x1x1 convolution that feeds it (and wants its gradient) and, unless
// it is the prediction, one that turns its output into a loss; both cost little beside a 3x3x3
// convolution. Any backend runs it
// through its public interface, with the kernels that it picks for the layer's shape.
#pragma once

#include <string>
#include <vector>

#include "workloads/network/program.h"

namespace voxmark {

struct IsolatedLayer {
  std::string name;
  Program program;               // a training step of the small network
  std::vector<std::string> ops;  // of the layer: "convolution", ...; kUpdate where it learns
};

// The update of a layer's parameters: not an op by itself, but all that Executable::update() does.
constexpr const char* kUpdate = "update";

// Every layer of `network` that computes, and the loss, at the shape that it has there for this
// image and batch. Throws Error (bad_input) as lower().
std::vector<IsolatedLayer> isolate_layers(const Network& network, std::int64_t images,
                                          const Dims& dims);

// The program's op of that name in the layer; not of kUpdate.
OpId find_op(const IsolatedLayer& layer, const std::string& op);

}  // namespace voxmark

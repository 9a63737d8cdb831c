// Where layers stand in a program, by what they read and write: nothing here asks for a name.
#pragma once

#include <string>
#include <vector>

#include "workloads/network/program.h"

namespace voxmark {

// A forward convolution, transposed or not.
struct ConvolutionPlace {
  std::string layer;
  TensorId input, kernel, bias, output;
  bool is_transposed = false;
  bool makes_logits = false;  // a sigmoid or a softmax reads its output; batch norms follow others
};

// In the program's order.
std::vector<ConvolutionPlace> convolution_places(const Program& program);

// How often an activation's dims are halves of the image's: 0 at full resolution.
int level(const Program& program, TensorId activation);
// Of the forward pass.
int coarsest_level(const Program& program);

// Parameters of the layers whose output lies on that level.
std::vector<TensorId> parameters_on_level(const Program& program, int level);

}  // namespace voxmark

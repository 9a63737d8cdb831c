// What kind of work an op is, and in which direction: how a step's time is told in a dozen lines
// instead of two hundred stages.
#pragma once

#include <string>
#include <vector>

#include "workloads/network/program.h"

namespace voxmark {

struct Work {
  std::string kind;       // "convolution", "batch norm and ReLU", ...
  std::string direction;  // "forward", "backward_data", "backward_weights", "backward", "update"
};

Work work_of(const Op& op);

// Of several ops that run as one: of the one with most FLOPs, else of the first.
Work work_of(const Program& program, const std::vector<OpId>& ops);

}  // namespace voxmark

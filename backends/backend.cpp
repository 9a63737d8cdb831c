#include "backends/backend.h"

namespace voxmark {

const char* purpose_of(TensorRole role) {
  switch (role) {
    case TensorRole::parameter:
    case TensorRole::moving_statistic:
      return "parameters";
    case TensorRole::optimizer_state:
      return "optimizer";
    case TensorRole::parameter_gradient:
      return "parameter_gradients";
    case TensorRole::input:
    case TensorRole::target:
      return "batch";
    case TensorRole::reduction:
      return "reductions";
    case TensorRole::activation:
    case TensorRole::gradient:
      return "activations";
  }
  return "";
}

std::int64_t MemoryPlan::total_bytes() const {
  std::int64_t sum = 0;
  for (const auto& [purpose, count] : bytes) {
    sum += count;
  }
  return sum;
}

}  // namespace voxmark

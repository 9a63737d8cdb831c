#include "backends/interpreter/executable_weights.h"

namespace voxmark {

std::vector<double> read_tensor(const Executable& executable, const Program& program, TensorId id) {
  std::vector<double> values(static_cast<std::size_t>(elements(program.tensor(id).shape)));
  executable.read(id, values);
  return values;
}

void set_weights(Executable& executable, const Program& program, const Weights& weights) {
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    const TensorInfo& tensor = program.tensors[i];
    if (is_persistent(tensor.role)) {
      executable.set(static_cast<TensorId>(i), weights.at(tensor.name));
    }
  }
}

Weights read_weights(const Executable& executable, const Program& program) {
  Weights weights;
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    const TensorInfo& tensor = program.tensors[i];
    if (is_persistent(tensor.role)) {
      weights[tensor.name] = read_tensor(executable, program, static_cast<TensorId>(i));
    }
  }
  return weights;
}

}  // namespace voxmark

#include "workloads/network/structure.h"

#include <algorithm>
#include <set>

namespace voxmark {
namespace {

std::set<TensorId> read_by_predictions(const Program& program) {
  std::set<TensorId> logits;
  for (const Op& op : program.ops) {
    if (std::holds_alternative<Sigmoid>(op.kind) || std::holds_alternative<Softmax>(op.kind)) {
      logits.insert(operands(op).reads.front());
    }
  }
  return logits;
}

}  // namespace

std::vector<ConvolutionPlace> convolution_places(const Program& program) {
  const std::set<TensorId> logits = read_by_predictions(program);
  std::vector<ConvolutionPlace> places;
  const auto add = [&](const Op& op, const auto& kind, bool is_transposed) {
    places.push_back({op.layer, kind.input, kind.kernel, kind.bias, kind.output, is_transposed,
                      logits.contains(kind.output)});
  };
  for (const Op& op : program.ops) {
    if (const auto* convolution = std::get_if<Convolution>(&op.kind)) {
      add(op, *convolution, false);
    } else if (const auto* transposed = std::get_if<TransposedConvolution>(&op.kind)) {
      add(op, *transposed, true);
    }
  }
  return places;
}

int level(const Program& program, TensorId activation) {
  const std::int64_t depth = program.tensor(activation).shape.at(1);
  int halvings = 0;
  while (depth << halvings < program.dims.d) {
    ++halvings;
  }
  return halvings;
}

int coarsest_level(const Program& program) {
  int coarsest = 0;
  for (const Op& op : program.ops) {
    if (const auto* pool = std::get_if<MaxPool>(&op.kind)) {
      coarsest = std::max(coarsest, level(program, pool->output));
    }
  }
  return coarsest;
}

std::vector<TensorId> parameters_on_level(const Program& program, int wanted) {
  std::vector<TensorId> parameters;
  for (const Op& op : program.ops) {
    const TensorId output = operands(op).writes.front();
    if (op.phase != Phase::forward || program.tensor(output).role != TensorRole::activation ||
        level(program, output) != wanted) {
      continue;
    }
    for (const TensorId id : operands(op).reads) {
      if (program.tensor(id).role == TensorRole::parameter) {
        parameters.push_back(id);
      }
    }
  }
  return parameters;
}

}  // namespace voxmark

#include "backends/ranks/exchange_points.h"

#include <algorithm>

namespace voxmark {
namespace {

struct Ready {
  std::int64_t bytes = 0;
  bool is_packed() const { return bytes < static_cast<std::int64_t>(kUnpackedBytes); }
};

// By the op behind which they are.
std::map<OpId, std::vector<Ready>> ready_by_op(const Program& program, std::int64_t element_bytes) {
  std::vector<std::vector<OpId>> ops(program.ops.size());
  for (std::size_t i = 0; i < ops.size(); ++i) {
    ops[i] = {static_cast<OpId>(i)};
  }
  std::map<OpId, std::vector<Ready>> ready;
  for (const auto& [tensor, op] : ready_gradients(program, ops)) {
    ready[static_cast<OpId>(op)].push_back(
        {elements(program.tensor(tensor).shape) * element_bytes});
  }
  return ready;
}

}  // namespace

bool is_summed_at_once(const Op& op, const Program& program) {
  return std::holds_alternative<NormalizeReluReduce>(op.kind) && program.batch_norm.across_ranks;
}

std::map<TensorId, std::size_t> ready_gradients(const Program& program,
                                                const std::vector<std::vector<OpId>>& stages) {
  std::map<TensorId, std::size_t> last_use;
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    for (const OpId id : stages[stage]) {
      const Op& op = program.ops[static_cast<std::size_t>(id)];
      if (op.phase == Phase::update || is_summed_at_once(op, program)) {
        continue;
      }
      for (const TensorId tensor : operands(op).writes) {
        if (program.tensor(tensor).role == TensorRole::parameter_gradient) {
          last_use[tensor] = stage;
        }
      }
      for (const TensorId tensor : operands(op).reads) {
        if (const auto found = last_use.find(tensor); found != last_use.end()) {
          found->second = stage;
        }
      }
    }
  }
  return last_use;
}

std::vector<ExchangePoint> exchange_points(const Program& program, std::int64_t element_bytes) {
  constexpr std::int64_t kDouble = sizeof(double);
  constexpr auto kMost = static_cast<std::int64_t>(kMessageBytes);
  const auto ready = ready_by_op(program, element_bytes);
  OpId last_packed = -1;
  for (const auto& [op, gradients] : ready) {
    last_packed = std::ranges::any_of(gradients, &Ready::is_packed) ? op : last_packed;
  }
  std::vector<ExchangePoint> points;
  std::int64_t packed = 0;
  for (OpId id = 0; id < static_cast<OpId>(program.ops.size()); ++id) {
    const Op& op = program.ops[static_cast<std::size_t>(id)];
    if (std::holds_alternative<DiceLoss>(op.kind)) {
      points.push_back({id, ExchangeKind::loss, 3 * kDouble});
    } else if (const auto* norm = std::get_if<BatchNormStatistics>(&op.kind);
               norm != nullptr && program.batch_norm.across_ranks) {
      const std::int64_t channels = program.tensor(norm->statistics).shape.back();
      points.push_back({id, ExchangeKind::statistics, 3 * channels * kDouble});
    } else if (const auto* reduce = std::get_if<NormalizeReluReduce>(&op.kind);
               reduce != nullptr && program.batch_norm.across_ranks) {
      points.push_back({id, ExchangeKind::statistics,
                        (elements(program.tensor(reduce->grad_gamma).shape) +
                         elements(program.tensor(reduce->grad_beta).shape)) *
                            kDouble});
    }
    if (const auto found = ready.find(id); found != ready.end()) {
      for (const Ready& gradient : found->second) {
        packed += gradient.is_packed() ? gradient.bytes : 0;
        std::int64_t left = gradient.is_packed() ? 0 : gradient.bytes;
        for (; left > 0; left -= points.back().bytes) {
          points.push_back({id, ExchangeKind::gradients, std::min(left, kMost)});
        }
      }
      while (packed >= kMost || (id == last_packed && packed > 0)) {
        points.push_back({id, ExchangeKind::gradients, std::min(packed, kMost)});
        packed -= points.back().bytes;
      }
    }
  }
  return points;
}

}  // namespace voxmark

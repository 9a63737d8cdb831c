#include "backends/ranks/exchange_points.h"

#include <algorithm>
#include <iterator>
#include <map>

namespace voxmark {
namespace {

std::int64_t elements(const Program& program, TensorId tensor) {
  std::int64_t count = 1;
  for (const std::int64_t extent : program.tensor(tensor).shape) {
    count *= extent;
  }
  return count;
}

// Of each gradient that is ready behind an op, the last one that reads or writes it: its bytes.
std::map<OpId, std::vector<std::int64_t>> ready_gradients(const Program& program,
                                                          std::int64_t element_bytes) {
  std::map<TensorId, OpId> last_use;
  for (OpId id = 0; id < static_cast<OpId>(program.ops.size()); ++id) {
    const Op& op = program.ops[static_cast<std::size_t>(id)];
    if (op.phase == Phase::update || is_summed_at_once(op, program)) {
      continue;
    }
    for (const TensorId tensor : operands(op).writes) {
      if (program.tensor(tensor).role == TensorRole::parameter_gradient) {
        last_use[tensor] = id;
      }
    }
    for (const TensorId tensor : operands(op).reads) {
      if (const auto found = last_use.find(tensor); found != last_use.end()) {
        found->second = id;
      }
    }
  }
  std::map<OpId, std::vector<std::int64_t>> bytes;
  for (const auto& [tensor, op] : last_use) {
    bytes[op].push_back(elements(program, tensor) * element_bytes);
  }
  return bytes;
}

}  // namespace

bool is_summed_at_once(const Op& op, const Program& program) {
  return std::holds_alternative<NormalizeReluReduce>(op.kind) && program.batch_norm.across_ranks;
}

std::vector<ExchangePoint> exchange_points(const Program& program, std::int64_t element_bytes) {
  constexpr std::int64_t kDouble = sizeof(double);
  constexpr auto kMost = static_cast<std::int64_t>(kMessageBytes);
  const auto ready = ready_gradients(program, element_bytes);
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
      points.push_back(
          {id, ExchangeKind::statistics,
           (elements(program, reduce->grad_gamma) + elements(program, reduce->grad_beta)) *
               kDouble});
    }
    if (const auto found = ready.find(id); found != ready.end()) {
      for (const std::int64_t bytes : found->second) {
        const bool is_packed = bytes < static_cast<std::int64_t>(kUnpackedBytes);
        packed += is_packed ? bytes : 0;
        for (std::int64_t left = is_packed ? 0 : bytes; left > 0; left -= points.back().bytes) {
          points.push_back({id, ExchangeKind::gradients, std::min(left, kMost)});
        }
      }
      const bool is_last = std::next(found) == ready.end();
      while (packed >= kMost || (is_last && packed > 0)) {
        points.push_back({id, ExchangeKind::gradients, std::min(packed, kMost)});
        packed -= points.back().bytes;
      }
    }
  }
  return points;
}

}  // namespace voxmark

// Where a step of several ranks exchanges what, by its program alone: of which ops the ranks meet,
// and behind which op gradients leave. StepExchange does it by the stages of a backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "backends/collectives.h"
#include "workloads/network/program.h"

namespace voxmark {

// Gradients leave in messages of so many bytes, the last one of fewer: enough that latency costs
// little, few enough that the first leave early.
constexpr std::size_t kMessageBytes = std::size_t{4} << 20U;
// A gradient of so many bytes leaves from where it lies, in messages of its own; smaller ones are
// packed.
constexpr std::size_t kUnpackedBytes = std::size_t{256} << 10U;

// Whether an op's gradients of parameters are summed at once: what follows needs them.
bool is_summed_at_once(const Op& op, const Program& program);

// Gradients of parameters that leave in messages, each with the last stage that reads or writes it.
// `stages`: the ops of each, in the order in which they run.
std::map<TensorId, std::size_t> ready_gradients(const Program& program,
                                                const std::vector<std::vector<OpId>>& stages);

struct ExchangePoint {
  OpId after = 0;
  ExchangeKind kind = ExchangeKind::statistics;
  std::int64_t bytes = 0;  // of each rank: of a meeting, or of a message that leaves
};

// In order. `element_bytes`: of a gradient, without what a backend pads.
std::vector<ExchangePoint> exchange_points(const Program& program, std::int64_t element_bytes);

}  // namespace voxmark

// Where every tensor and every stage's scratch lies in the arena: the one place where memory is
// placed. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backends/backend.h"
#include "backends/onednn/code.h"
#include "backends/onednn/stages.h"

namespace voxmark::onednn {

struct MemoryLayout {
  std::vector<std::int64_t> offsets;  // bytes, by TensorId; of roots and of all but images
  std::vector<std::int64_t> scratch;  // bytes, by stage
  std::int64_t arena_bytes = 0;
  MemoryPlan plan;
};

// What stays throughout comes first, parameters in the order of their Adam ops so that one pass
// updates all; then activations, gradients and scratch share one region by lifetime.
MemoryLayout lay_out(const Context& context, std::span<const StageOps> stages,
                     std::span<const StageCode> codes, std::span<const TensorId> readable);

}  // namespace voxmark::onednn

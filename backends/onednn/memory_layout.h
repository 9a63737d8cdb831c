// Where every tensor and every stage's scratch lies in the arena: the one place where memory is
// placed. Which images share a place, formats.h says. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backends/backend.h"
#include "backends/onednn/kernels/planned_stage.h"
#include "backends/onednn/kernels/stages.h"
#include "backends/plan/first_touch.h"
#include "backends/plan/memory_plan.h"

namespace voxmark::onednn {

// As the tensor is stored: its elements, and what its layout adds to them.
std::int64_t stored_bytes(const Context& context, TensorId id);

// One stay of a root in memory, in stages.
struct Stay {
  TensorId root = kNoTensor;
  Buffer buffer;
};

// A root stays from the first write of a tensor in it to the last read of one, and again where
// tensors of it are computed again.
std::vector<Stay> stays(const Context& context, std::span<const StageOps> stages,
                        std::span<const TensorId> readable);

struct MemoryLayout {
  struct PlacedStay {
    Stay stay;
    std::int64_t offset = 0;
  };
  // Bytes, by TensorId; of roots and of all but images, as they lie during a stage.
  std::vector<std::int64_t> offsets_at(int stage) const;

  std::vector<std::int64_t> fixed_offsets;  // of what stays throughout
  std::vector<PlacedStay> stays;
  std::vector<std::int64_t> scratch;  // bytes, by stage
  std::int64_t arena_bytes = 0;
  std::vector<Region> regions;  // all that ever lies in the arena
  MemoryPlan plan;
};

// What stays throughout comes first, parameters in the order of their Adam ops so that one pass
// updates all; then activations, gradients and scratch share one region by lifetime.
MemoryLayout lay_out(const Context& context, std::span<const StageOps> stages,
                     std::span<const PlannedStage> planned, std::span<const TensorId> readable);

}  // namespace voxmark::onednn

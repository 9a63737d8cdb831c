#include "backends/onednn/memory_layout.h"

#include <algorithm>
#include <set>
#include <utility>

#include "backends/plan/memory_plan.h"
#include "backends/plan/schedule.h"

namespace voxmark::onednn {
namespace {

constexpr std::int64_t kFloatBytes = sizeof(float);

std::int64_t align_up(std::int64_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

class LayingOut {
 public:
  LayingOut(const Context& context, std::span<const StageOps> stages)
      : context_(context), program_(context.program), stages_(stages) {
    layout_.fixed_offsets.assign(program_.tensors.size(), 0);
  }

  MemoryLayout result(std::span<const PlannedStage> planned,
                      std::span<const TensorId> readable) && {
    for (const StageOps& stage : stages_) {
      layout_.plan.steps.push_back(stage.ops.front());
    }
    place_parameters();
    place_persistent();
    place_transient(planned, readable);
    return std::move(layout_);
  }

 private:
  void place(TensorId id, const char* purpose) {
    if (!placed_.insert(id).second) {
      return;
    }
    const std::int64_t bytes = align_up(stored_bytes(context_, id));
    layout_.fixed_offsets[static_cast<std::size_t>(id)] = layout_.arena_bytes;
    layout_.regions.push_back({layout_.arena_bytes, bytes});
    layout_.arena_bytes += bytes;
    layout_.plan.bytes[purpose] += bytes;
    layout_.plan.buffers.push_back({{id}, bytes, 0, static_cast<int>(stages_.size()) - 1});
  }

  void place_parameters() {
    std::vector<Adam> updates;
    for (const Op& op : program_.ops) {
      if (const auto* adam = std::get_if<Adam>(&op.kind)) {
        updates.push_back(*adam);
      }
    }
    for (const Adam& adam : updates) {
      place(adam.parameter, "parameters");
    }
    for (const Adam& adam : updates) {
      place(adam.gradient, "parameter_gradients");
    }
    for (const Adam& adam : updates) {
      place(adam.m, "optimizer");
    }
    for (const Adam& adam : updates) {
      place(adam.v, "optimizer");
    }
  }

  void place_persistent() {
    for (std::size_t i = 0; i < program_.tensors.size(); ++i) {
      const TensorId id = static_cast<TensorId>(i);
      switch (program_.tensor(id).role) {
        case TensorRole::parameter:
        case TensorRole::moving_statistic:
          place(id, "parameters");
          break;
        case TensorRole::optimizer_state:
          place(id, "optimizer");
          break;
        case TensorRole::parameter_gradient:
          place(id, "parameter_gradients");
          break;
        case TensorRole::input:
        case TensorRole::target:
          place(id, "batch");
          break;
        case TensorRole::reduction:
          place(id, "reductions");
          break;
        case TensorRole::activation:
        case TensorRole::gradient:
          break;
      }
    }
  }

  void place_transient(std::span<const PlannedStage> planned, std::span<const TensorId> readable) {
    const std::vector<Stay> all = stays(context_, stages_, readable);
    std::vector<Buffer> buffers;
    buffers.reserve(all.size() + planned.size());
    for (const Stay& stay : all) {
      buffers.push_back(stay.buffer);
    }
    const std::int64_t without_scratch = place_buffers(buffers).arena_bytes;
    for (std::size_t stage = 0; stage < planned.size(); ++stage) {
      buffers.push_back(
          {planned[stage].scratch_bytes, static_cast<int>(stage), static_cast<int>(stage)});
    }
    const Placement placement = place_buffers(buffers);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      layout_.regions.push_back({layout_.arena_bytes + placement.offsets[i], buffers[i].bytes});
    }
    std::size_t next = 0;
    for (const Stay& stay : all) {
      layout_.stays.push_back({stay, layout_.arena_bytes + placement.offsets[next++]});
    }
    for (std::size_t stage = 0; stage < planned.size(); ++stage) {
      layout_.scratch.push_back(layout_.arena_bytes + placement.offsets[next++]);
    }
    // Scratch lies in the gaps where it can; only what it adds counts as its own.
    const std::int64_t activations = std::min(without_scratch, placement.arena_bytes);
    layout_.plan.bytes["activations"] = activations;
    layout_.plan.bytes["scratchpad"] = placement.arena_bytes - activations;
    layout_.arena_bytes += placement.arena_bytes;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      layout_.plan.buffers.push_back(
          {i < all.size() ? in_root(all[i].root) : std::vector<TensorId>(), buffers[i].bytes,
           buffers[i].first_step, buffers[i].last_step});
    }
  }

  // The root and what shares its memory.
  std::vector<TensorId> in_root(TensorId root) const {
    std::vector<TensorId> tensors = {root};
    for (std::size_t i = 0; i < program_.tensors.size(); ++i) {
      const TensorId id = static_cast<TensorId>(i);
      if (id != root && context_.formats[id].root == root) {
        tensors.push_back(id);
      }
    }
    return tensors;
  }

  const Context& context_;
  const Program& program_;
  std::span<const StageOps> stages_;
  std::set<TensorId> placed_;
  MemoryLayout layout_;
};

}  // namespace

std::int64_t stored_bytes(const Context& context, TensorId id) {
  const TensorInfo& tensor = context.program.tensor(id);
  const auto format = context.parameters.find(id);
  if (format != context.parameters.end()) {
    return static_cast<std::int64_t>(format->second.get_size());
  }
  if (tensor.role == TensorRole::reduction) {
    return elements(tensor.shape) * std::int64_t{sizeof(double)};
  }
  const TensorFormat& image = context.formats[id];
  return image.shape.n > 0 ? image.shape.elements() * image.element_bytes()
                           : elements(tensor.shape) * kFloatBytes;
}

std::vector<Stay> stays(const Context& context, std::span<const StageOps> stages,
                        std::span<const TensorId> readable) {
  Schedule schedule;
  std::vector<int> stage_of;  // by step of the schedule
  std::set<TensorId> internal;
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    for (const OpId op : stages[stage].ops) {
      schedule.push_back({op, stages[stage].recomputed});
      stage_of.push_back(static_cast<int>(stage));
    }
    internal.insert(stages[stage].internal.begin(), stages[stage].internal.end());
  }
  std::vector<Stay> tensors;
  for (const Lifetime& life : lifetimes(context.program, schedule, readable)) {
    if (!internal.contains(life.tensor)) {
      tensors.push_back({context.formats[life.tensor].root,
                         {0, stage_of[static_cast<std::size_t>(life.first_step)],
                          stage_of[static_cast<std::size_t>(life.last_step)]}});
    }
  }
  std::sort(tensors.begin(), tensors.end(), [](const Stay& a, const Stay& b) {
    return std::pair(a.root, a.buffer.first_step) < std::pair(b.root, b.buffer.first_step);
  });
  std::vector<Stay> result;
  for (const Stay& stay : tensors) {
    if (!result.empty() && result.back().root == stay.root &&
        stay.buffer.first_step <= result.back().buffer.last_step) {
      int& last = result.back().buffer.last_step;
      last = std::max(last, stay.buffer.last_step);
    } else {
      result.push_back(stay);
      result.back().buffer.bytes = stored_bytes(context, stay.root);
    }
  }
  return result;
}

std::vector<std::int64_t> MemoryLayout::offsets_at(int stage) const {
  std::vector<std::int64_t> offsets = fixed_offsets;
  for (const PlacedStay& placed : stays) {
    const Buffer& buffer = placed.stay.buffer;
    if (buffer.first_step <= stage && stage <= buffer.last_step) {
      offsets[static_cast<std::size_t>(placed.stay.root)] = placed.offset;
    }
  }
  return offsets;
}

MemoryLayout lay_out(const Context& context, std::span<const StageOps> stages,
                     std::span<const PlannedStage> planned, std::span<const TensorId> readable) {
  return LayingOut(context, stages).result(planned, readable);
}

}  // namespace voxmark::onednn

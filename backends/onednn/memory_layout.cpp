#include "backends/onednn/memory_layout.h"

#include <algorithm>
#include <map>
#include <set>

#include "backends/memory_plan.h"
#include "backends/schedule.h"

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
    layout_.offsets.assign(program_.tensors.size(), 0);
  }

  MemoryLayout result(std::span<const StageCode> codes, std::span<const TensorId> readable) && {
    place_parameters();
    place_persistent();
    place_transient(codes, readable);
    return std::move(layout_);
  }

 private:
  bool is_transient(TensorId id) const {
    const TensorRole role = program_.tensor(id).role;
    return role == TensorRole::activation || role == TensorRole::gradient;
  }

  std::int64_t bytes_of(TensorId id) const {
    const TensorInfo& tensor = program_.tensor(id);
    const auto format = context_.parameters.find(id);
    if (format != context_.parameters.end()) {
      return static_cast<std::int64_t>(format->second.get_size());
    }
    if (tensor.role == TensorRole::reduction) {
      return elements(tensor.shape) * std::int64_t{sizeof(double)};
    }
    const TensorFormat& image = context_.formats[id];
    return image.shape.n > 0 ? image.shape.elements() * image.element_bytes()
                             : elements(tensor.shape) * kFloatBytes;
  }

  void place(TensorId id, const char* purpose) {
    if (!placed_.insert(id).second) {
      return;
    }
    const std::int64_t bytes = align_up(bytes_of(id));
    layout_.offsets[static_cast<std::size_t>(id)] = layout_.arena_bytes;
    layout_.arena_bytes += bytes;
    layout_.plan.bytes[purpose] += bytes;
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

  // A root lives from the first write of a tensor in it to the last read of one, in stages.
  void place_transient(std::span<const StageCode> codes, std::span<const TensorId> readable) {
    std::vector<int> stage_of(program_.ops.size());
    std::set<TensorId> internal;
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      for (const OpId op : stages_[stage].ops) {
        stage_of[static_cast<std::size_t>(op)] = static_cast<int>(stage);
      }
      internal.insert(stages_[stage].internal.begin(), stages_[stage].internal.end());
    }
    std::map<TensorId, Buffer> roots;
    for (const Lifetime& life : lifetimes(program_, schedule_in_order(program_), readable)) {
      if (internal.contains(life.tensor)) {
        continue;
      }
      const TensorId root = context_.formats[life.tensor].root;
      const int first = stage_of[static_cast<std::size_t>(life.first_step)];
      const int last = stage_of[static_cast<std::size_t>(life.last_step)];
      const auto [entry, is_new] = roots.try_emplace(root, Buffer{bytes_of(root), first, last});
      entry->second.first_step = std::min(entry->second.first_step, first);
      entry->second.last_step = std::max(entry->second.last_step, last);
    }
    std::vector<Buffer> buffers;
    buffers.reserve(roots.size() + codes.size());
    for (const auto& [root, buffer] : roots) {
      buffers.push_back(buffer);
    }
    const std::int64_t without_scratch = place_buffers(buffers).arena_bytes;
    for (std::size_t stage = 0; stage < codes.size(); ++stage) {
      buffers.push_back(
          {codes[stage].scratch_bytes, static_cast<int>(stage), static_cast<int>(stage)});
    }
    const Placement placement = place_buffers(buffers);
    std::size_t next = 0;
    for (const auto& [root, buffer] : roots) {
      layout_.offsets[static_cast<std::size_t>(root)] =
          layout_.arena_bytes + placement.offsets[next++];
    }
    for (std::size_t stage = 0; stage < codes.size(); ++stage) {
      layout_.scratch.push_back(layout_.arena_bytes + placement.offsets[next++]);
    }
    // Scratch lies in the gaps where it can; only what it adds counts as its own.
    const std::int64_t activations = std::min(without_scratch, placement.arena_bytes);
    layout_.plan.bytes["activations"] = activations;
    layout_.plan.bytes["scratchpad"] = placement.arena_bytes - activations;
    layout_.arena_bytes += placement.arena_bytes;
  }

  const Context& context_;
  const Program& program_;
  std::span<const StageOps> stages_;
  std::set<TensorId> placed_;
  MemoryLayout layout_;
};

}  // namespace

MemoryLayout lay_out(const Context& context, std::span<const StageOps> stages,
                     std::span<const StageCode> codes, std::span<const TensorId> readable) {
  return LayingOut(context, stages).result(codes, readable);
}

}  // namespace voxmark::onednn

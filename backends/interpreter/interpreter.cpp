#include "backends/interpreter/interpreter.h"

namespace voxmark {
namespace {

std::int64_t align_up(std::int64_t bytes) {
  return (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
}

}  // namespace

TensorLayout lay_out_tensors(const Program& program, std::int64_t scalar_bytes,
                             std::int64_t scratch_bytes, std::span<const TensorId> readable) {
  TensorLayout layout;
  layout.offsets.assign(program.tensors.size(), 0);
  const auto bytes_of = [&](const TensorInfo& tensor) {
    const bool is_reduction = tensor.role == TensorRole::reduction;
    return elements(tensor.shape) *
           (is_reduction ? static_cast<std::int64_t>(sizeof(double)) : scalar_bytes);
  };

  const Schedule schedule = schedule_in_order(program);
  const int last_step = static_cast<int>(schedule.size()) - 1;
  for (const ScheduledOp& scheduled : schedule) {
    layout.plan.steps.push_back(scheduled.op);
  }

  // What stays throughout, one after the other.
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    const TensorInfo& tensor = program.tensors[i];
    if (tensor.role != TensorRole::activation && tensor.role != TensorRole::gradient) {
      const std::int64_t bytes = align_up(bytes_of(tensor));
      layout.offsets[i] = layout.arena_bytes;
      layout.regions.push_back({layout.arena_bytes, bytes});
      layout.arena_bytes += bytes;
      layout.plan.bytes[purpose_of(tensor.role)] += bytes;
      layout.plan.buffers.push_back({{static_cast<TensorId>(i)}, bytes, 0, last_step});
    }
  }

  // What comes and goes shares one region by lifetime.
  const std::vector<Lifetime> lives = lifetimes(program, schedule, readable);
  std::vector<Buffer> buffers;
  buffers.reserve(lives.size());
  for (const Lifetime& life : lives) {
    const std::int64_t bytes = bytes_of(program.tensor(life.tensor));
    buffers.push_back({bytes, life.first_step, life.last_step});
    layout.plan.buffers.push_back({{life.tensor}, bytes, life.first_step, life.last_step});
  }
  const Placement placement = place_buffers(buffers);
  for (std::size_t i = 0; i < lives.size(); ++i) {
    const std::int64_t offset = layout.arena_bytes + placement.offsets[i];
    layout.offsets[static_cast<std::size_t>(lives[i].tensor)] = offset;
    layout.regions.push_back({offset, buffers[i].bytes});
  }
  layout.plan.bytes["activations"] = placement.arena_bytes;
  layout.arena_bytes += placement.arena_bytes;

  layout.scratch_offset = layout.arena_bytes;
  layout.regions.push_back({layout.scratch_offset, align_up(scratch_bytes)});
  layout.plan.bytes["scratchpad"] = align_up(scratch_bytes);
  layout.plan.buffers.push_back({{}, align_up(scratch_bytes), 0, last_step});
  layout.arena_bytes += align_up(scratch_bytes);
  return layout;
}

}  // namespace voxmark

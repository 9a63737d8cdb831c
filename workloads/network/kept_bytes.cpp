#include "workloads/network/kept_bytes.h"

#include <algorithm>
#include <variant>

#include "workloads/network/layer_facts.h"

namespace voxmark {
namespace {

constexpr std::int64_t kFloatBytes = 4;

bool is_batch_norm_output(const Program& program, TensorId id) {
  return std::any_of(program.ops.begin(), program.ops.end(), [id](const Op& op) {
    return (std::holds_alternative<NormalizeRelu>(op.kind) ||
            std::holds_alternative<InferenceNormalizeRelu>(op.kind)) &&
           operands(op).writes.front() == id;
  });
}

// An output that two layers read has three gradients, and what ReLU reads still has one.
bool is_whole(const Program& program, TensorId gradient) {
  return std::none_of(program.ops.begin(), program.ops.end(), [gradient](const Op& op) {
    const Add* add = std::get_if<Add>(&op.kind);
    return add != nullptr && (add->first == gradient || add->second == gradient);
  });
}

}  // namespace

std::int64_t keeps_everything_bytes(const Program& program, Precision precision, TensorId id) {
  const TensorInfo& tensor = program.tensor(id);
  const std::int64_t own = elements(tensor.shape);
  const std::int64_t bytes = element_bytes(precision);
  switch (tensor.role) {
    case TensorRole::input:
    case TensorRole::target:
      return own * bytes;
    case TensorRole::activation:
      return own * bytes * (is_batch_norm_output(program, id) ? 2 : 1);
    case TensorRole::gradient: {
      const bool is_with_relu = is_batch_norm_output(program, activation_of(program, id));
      return own * bytes * (is_with_relu && is_whole(program, id) ? 2 : 1);
    }
    case TensorRole::parameter:
    case TensorRole::moving_statistic:
    case TensorRole::optimizer_state:
    case TensorRole::parameter_gradient:
    case TensorRole::reduction:
      return own * std::max(bytes, kFloatBytes);
  }
  return 0;
}

std::int64_t keeps_everything_bytes(const Program& program, Precision precision) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    sum += keeps_everything_bytes(program, precision, static_cast<TensorId>(i));
  }
  return sum;
}

std::int64_t keeps_everything_bytes(const UnetOptions& network, std::int64_t images,
                                    const Dims& dims, Precision precision) {
  return keeps_everything_bytes(lower(unet3d(network), images, dims, Mode::training), precision);
}

double keeps_everything_bytes_per_voxel(const UnetOptions& network, Precision precision) {
  // Bytes are a line over voxels.
  constexpr std::int64_t kExtent = kUnetDimsMultiple;
  const Dims small{kExtent, kExtent, kExtent}, large{2 * kExtent, kExtent, kExtent};
  return static_cast<double>(keeps_everything_bytes(network, 1, large, precision) -
                             keeps_everything_bytes(network, 1, small, precision)) /
         static_cast<double>(large.voxels() - small.voxels());
}

}  // namespace voxmark

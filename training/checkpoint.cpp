#include "training/checkpoint.h"

#include <deque>
#include <vector>

#include "base/error.h"
#include "workloads/network/safetensors.h"

namespace voxmark {
namespace {

constexpr const char* kFormatKey = "format";
constexpr const char* kFormat = "voxmark checkpoint/1, Keras names and layouts";
constexpr const char* kStateKey = "state";

}  // namespace

void save_checkpoint(const std::string& path, const Program& program, Precision precision,
                     const Checkpoint& checkpoint) {
  std::deque<std::vector<float>> floats;  // what the views point into
  std::vector<TensorView> views;
  for (const TensorInfo& tensor : program.tensors) {
    if (!is_persistent(tensor.role)) continue;
    const std::vector<double>& values = checkpoint.weights.at(tensor.name);
    TensorView view{tensor.name, tensor.shape, std::span<const double>(values)};
    if (precision != Precision::fp64) {
      floats.emplace_back(values.begin(), values.end());
      view.values = std::span<const float>(floats.back());
    }
    views.push_back(std::move(view));
  }
  write_safetensors(path, views, {{kFormatKey, kFormat}, {kStateKey, dump_json(checkpoint.state)}});
}

Json read_checkpoint_state(const std::string& path) {
  const SafetensorsFile file(path);
  const auto format = file.metadata().find(kFormatKey);
  const auto state = file.metadata().find(kStateKey);
  if (format == file.metadata().end() || state == file.metadata().end() ||
      format->second != kFormat) {
    throw_bad_input("{}: not a checkpoint: no \"{}\" in its metadata", path, kFormat);
  }
  return parse_json(state->second, path + ": state");
}

}  // namespace voxmark

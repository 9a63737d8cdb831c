#include "training/host_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/number_text.h"
#include "training/prediction/predictor.h"

namespace voxmark {
namespace {

constexpr int kBatchesAhead = 3;  // beyond the readers' own: decoding times vary
constexpr std::int64_t kFloat = sizeof(float);
constexpr std::int64_t kDouble = sizeof(double);

std::int64_t persistent_elements(const Program& program) {
  std::int64_t count = 0;
  for (const TensorInfo& tensor : program.tensors) {
    if (is_persistent(tensor.role)) {
      count += elements(tensor.shape);
    }
  }
  return count;
}

// Of prediction, and of a checkpoint.
std::int64_t weight_bytes(const Program& program) {
  return persistent_elements(program) * (2 * kDouble + kFloat);
}

// As it is held: values and labels.
std::int64_t image_bytes(const UnetOptions& network, const Dims& volume) {
  return volume.voxels() * (network.input_channels * kFloat + 1);
}

// The image in double for its scale, sums and their weights, the result. Surfaces are scored after
// that, in less: a double, two masks, their codes and the predicted labels.
std::int64_t gathering_bytes(const UnetOptions& network, const Dims& volume) {
  return volume.voxels() * (2 * kDouble + output_channels(network) * (kDouble + kFloat));
}

}  // namespace

int batches_ahead(const TrainingOptions& options) { return options.readers + kBatchesAhead; }
int images_ahead(const TrainingOptions& options) { return options.readers; }

HostMemory host_memory(const TrainingOptions& options, const Program& step,
                       const SubjectParts& parts) {
  const std::int64_t inputs = options.network.input_channels;
  const std::int64_t outputs = output_channels(options.network);
  const std::int64_t window = options.image.voxels();
  const std::int64_t volume = parts.training.dims.voxels();
  const std::int64_t sample = window * (inputs + outputs) * kFloat;
  const std::int64_t image = image_bytes(options.network, parts.training.dims);
  HostMemory memory;
  // One more is in the step's hands.
  memory.batches = (batches_ahead(options) + 1) * options.images_per_rank() * sample;
  // Each reader: the file's bytes beside its values, the labels as numbers, the window in double,
  // the sample before and after it is turned.
  const std::int64_t reading = 2 * image + volume * kFloat + window * kDouble + 2 * sample;
  memory.images = options.readers * reading + (images_ahead(options) + 1) * image;
  memory.weights = weight_bytes(step);
  if (parts.validation.count + parts.test.count > 0) {
    memory.prediction = gathering_bytes(options.network, parts.training.dims);
  }
  return memory;
}

TrainingMemory training_memory(const TrainingOptions& options, const Program& step,
                               const SubjectParts& parts, std::int64_t step_bytes,
                               std::int64_t prediction_bytes) {
  CompileOptions compile;
  compile.precision = options.precision;
  compile.threads = options.threads;
  compile.ranks = options.ranks;
  TrainingMemory memory;
  memory.step = options.backend->plan(step, compile).total_bytes();
  memory.for_speed = std::max<std::int64_t>(0, step_bytes - memory.step);
  memory.saved = std::max<std::int64_t>(0, memory.step - step_bytes);
  memory.host = host_memory(options, step, parts);
  memory.prediction = prediction_bytes;
  return memory;
}

std::string to_string(const TrainingMemory& memory) {
  std::string text = fmt::format("step {}", bytes_text(memory.step));
  if (memory.saved > 0) {
    text += fmt::format(" less {} by computing tensors again", bytes_text(memory.saved));
  }
  const auto add = [&](const char* what, std::int64_t bytes) {
    if (bytes > 0) {
      text += fmt::format(", {} {}", what, bytes_text(bytes));
    }
  };
  add("spent for speed", memory.for_speed);
  add("images and batches read ahead", memory.host.images + memory.host.batches);
  add("copies of the weights", memory.host.weights);
  add("validation and test of whole images", memory.prediction + memory.host.prediction);
  return text;
}

std::int64_t bytes_beside_prediction(const UnetOptions& network, const Program& program,
                                     const Dims& volume) {
  return image_bytes(network, volume) + gathering_bytes(network, volume) + weight_bytes(program);
}

CompileOptions step_options(const TrainingOptions& options, std::int64_t beside) {
  CompileOptions compile;
  compile.precision = options.precision;
  compile.threads = options.threads;
  compile.ranks = options.ranks;
  compile.collectives = options.collectives;
  // Backends may trade time for memory.
  compile.memory_limit_bytes = options.memory_bytes > beside ? options.memory_bytes - beside : 0;
  return compile;
}

std::int64_t bytes_beside_step(const TrainingOptions& options, const Program& step,
                               const SubjectParts& parts) {
  Predictor tile(predictor_options(options, std::numeric_limits<std::int64_t>::max()));
  return host_memory(options, step, parts).total() + tile.planned_bytes_of(options.image);
}

}  // namespace voxmark

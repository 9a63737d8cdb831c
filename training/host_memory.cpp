#include "training/host_memory.h"

#include <limits>

#include "training/predictor.h"

namespace voxmark {
namespace {

constexpr int kBatchesAhead = 3;  // beyond the readers' own: decoding times vary
constexpr std::int64_t kFloat = sizeof(float);
constexpr std::int64_t kDouble = sizeof(double);

std::int64_t persistent_elements(const Program& program) {
  std::int64_t count = 0;
  for (const TensorInfo& tensor : program.tensors) {
    if (is_persistent(tensor.role)) count += elements(tensor.shape);
  }
  return count;
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
  const std::int64_t image = volume * (inputs * kFloat + 1);
  HostMemory memory;
  // One more is in the step's hands.
  memory.batches = (batches_ahead(options) + 1) * options.batch * sample;
  // Each reader: the file's bytes beside its values, the labels as numbers, the window in double,
  // the sample before and after it is turned.
  const std::int64_t reading = 2 * image + volume * kFloat + window * kDouble + 2 * sample;
  memory.images = options.readers * reading + (images_ahead(options) + 1) * image;
  memory.weights = persistent_elements(step) * (2 * kDouble + kFloat);
  // The image in double for its scale, sums and their weights, the result; a tile of the net's.
  memory.prediction = volume * (2 * kDouble + outputs * (kDouble + kFloat)) + window * kDouble +
                      sample + window * outputs * kDouble;
  return memory;
}

CompileOptions step_options(const TrainingOptions& options, std::int64_t beside) {
  CompileOptions compile;
  compile.precision = options.precision;
  compile.threads = options.threads;
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

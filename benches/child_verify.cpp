#include <unistd.h>

#include <chrono>

#include "backends/verify.h"
#include "benches/child_modes.h"

namespace voxmark {
namespace {

// The reference serves all backends of a sweep: the first child leaves it for the others.
StepReference reference_for(const Request& request, const Program& program, const Weights& weights,
                            const Batch& batch) {
  const std::string& path = request.reference_path;
  if (!path.empty() && access(path.c_str(), R_OK) == 0) {
    return load_reference(path);
  }
  StepReference reference = reference_step(program, weights, batch, request.spec.threads);
  if (!path.empty()) {
    save_reference(path, reference);
  }
  return reference;
}

// What a step takes at this shape, for predictions: not a sample of anything.
double probe_step_seconds(const Backend& backend, const CaseSpec& spec, const Program& program,
                          const Weights& weights, const Batch& batch) {
  const std::unique_ptr<Executable> executable = backend.compile(program, compile_options(spec));
  for (std::size_t id = 0; id < program.tensors.size(); ++id) {
    if (is_persistent(program.tensors[id].role)) {
      executable->set(static_cast<TensorId>(id), weights.at(program.tensors[id].name));
    }
  }
  executable->load(batch);
  const auto start = std::chrono::steady_clock::now();
  executable->run();
  executable->update();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

void verify_case(const Backend& backend, const Request& request, const Say& say) {
  const CaseSpec shape = verification_shape(request.spec);
  const Program program = training_program(shape);
  const Weights weights = verification_weights(program, shape.seed);
  const Batch batch = case_batch(shape);
  const StepReference reference = reference_for(request, program, weights, batch);
  const Verification verification =
      verify_step(backend, compile_options(shape), program, weights, batch, reference);

  VerifiedMessage message;
  message.image = shape.image;
  message.batch = shape.batch;
  message.checks = static_cast<int>(verification.checks.size());
  message.tensor = verification.worst().tensor;
  message.error = verification.worst().error;
  message.tolerance = verification.worst().tolerance;
  message.step_seconds = probe_step_seconds(backend, shape, program, weights, batch);
  say(message);
}

}  // namespace voxmark

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <optional>

#include "backends/interpreter/executable_weights.h"
#include "backends/naive/naive.h"
#include "backends/verify/verify.h"
#include "base/error.h"
#include "benches/child/child_modes.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/peers.h"
#include "benches/protocol/stages_json.h"
#include "workloads/network/safetensors.h"

namespace voxmark {
namespace {

// What a child leaves for the next is only kept: where there is no room for it (a small or a full
// TMPDIR), or where it cannot be read, the next computes it again.
template <class Keep>
void keep_if_possible(const Keep& keep) {
  try {
    keep();
  } catch (const Error&) {
  }
}

template <class Load>
auto kept(const std::string& path, const Load& load) -> std::optional<decltype(load())> {
  if (path.empty() || access(path.c_str(), R_OK) != 0) {
    return std::nullopt;
  }
  try {
    return load();
  } catch (const Error&) {
    return std::nullopt;
  }
}

// The reference serves all backends of a sweep: the first child leaves it for the others.
StepReference reference_for(const Request& request, const Program& program, const Weights& weights,
                            const Batch& batch) {
  const std::string& path = request.reference_path;
  if (auto found = kept(path, [&] { return load_reference(path); })) {
    return *std::move(found);
  }
  StepReference reference = reference_step(program, weights, batch, request.spec.threads);
  if (!path.empty()) {
    keep_if_possible([&] { save_reference(path, reference); });
  }
  return reference;
}

// What a step takes at this shape, for predictions, not as a sample of anything; and by which
// kernels.
void probe_step(const Backend& backend, const CaseSpec& spec, const Program& program,
                const Weights& weights, const Batch& batch, VerifiedMessage& message) {
  const std::unique_ptr<Executable> executable = backend.compile(program, compile_options(spec));
  set_weights(*executable, program, weights);
  executable->load(batch);
  const auto start = std::chrono::steady_clock::now();
  executable->run();
  executable->update();
  message.step_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  message.stages = stages_to_json(program, *executable);
}

// The losses of naive in double: those after the first. One step more than the reference takes, so
// kept beside it.
std::vector<double> losses_for(const Request& request, const Program& program,
                               const Weights& weights, const Batch& batch) {
  const std::string path =
      request.reference_path.empty()
          ? ""
          : fmt::format("{}.losses{}", request.reference_path, request.spec.steps);
  if (auto found = kept(path, [&] { return SafetensorsFile(path).read_doubles("losses"); })) {
    return *std::move(found);
  }
  const auto naive = naive_backend().compile(program, {Precision::fp64, request.spec.threads, {}});
  std::vector<double> losses = training_losses(*naive, program, weights, batch, request.spec.steps);
  if (!path.empty()) {
    keep_if_possible([&] {
      write_safetensors(path, std::vector<TensorView>{{"losses",
                                                       {static_cast<std::int64_t>(losses.size())},
                                                       std::span<const double>(losses)}});
    });
  }
  return losses;
}

VerifiedMessage message_of(const CaseSpec& shape, const Verification& verification) {
  VerifiedMessage message;
  message.image = shape.image;
  message.batch = shape.batch;
  message.checks = static_cast<int>(verification.checks.size());
  message.tensor = verification.worst().tensor;
  message.error = verification.worst().error;
  message.tolerance = verification.worst().tolerance;
  return message;
}

}  // namespace

void check_case(const Request& request, const SendMessage& send) {
  const CaseSpec& shape = request.spec;
  const Program program = training_program(shape);
  // What it wrote is read first: reading fails fast, the reference takes its time.
  const StepResults results = load_results(request.results_path, program, shape.steps);
  const Weights weights = verification_weights(program, shape.seed);
  const Batch batch = case_batch(shape);
  const StepReference reference = reference_for(request, program, weights, batch);
  const std::vector<double> losses = losses_for(request, program, weights, batch);
  const Verification verification =
      verify_results(results, program, weights, reference, losses,
                     rounding_of(request.computed_by, shape.precision));
  VerifiedMessage message = message_of(shape, verification);
  for (const TensorCheck& check : verification.checks) {
    message.tensors.push_back({{"tensor", check.tensor},
                               {"error", number_to_json(check.error)},
                               {"tolerance", check.tolerance}});
  }
  message.hint = verification.hint;
  send(message);
}

void verify_case(const Backend& backend, const Request& request, const SendMessage& send) {
  const CaseSpec shape = verification_shape(request.spec);
  const Program program = training_program(shape);
  const Weights weights = verification_weights(program, shape.seed);
  const Batch batch = case_batch(shape);
  const StepReference reference = reference_for(request, program, weights, batch);
  const Verification verification =
      verify_step(backend, compile_options(shape), program, weights, batch, reference);

  VerifiedMessage message = message_of(shape, verification);
  probe_step(backend, shape, program, weights, batch, message);
  send(message);
}

}  // namespace voxmark

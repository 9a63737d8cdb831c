#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

#include "backends/interpreter/executable_weights.h"
#include "backends/naive/naive.h"
#include "backends/ranks/ranks_in_threads.h"
#include "backends/verify/verify.h"
#include "base/error.h"
#include "benches/child/child_modes.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/peers.h"
#include "benches/protocol/stages_json.h"
#include "workloads/network/safetensors.h"
#include "workloads/network/weights.h"

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

// Of all that the update has to leave equal on all ranks.
std::string sha256_of_update(const Program& program, const Executable& executable) {
  Weights weights = read_weights(executable, program);
  for (const TensorInfo& tensor : program.tensors) {
    if (tensor.role == TensorRole::moving_statistic && !program.batch_norm.across_ranks) {
      std::ranges::fill(weights.at(tensor.name), 0.0);  // each rank's own
    }
  }
  return sha256_hex(program, weights);
}

// What a step takes at this shape, for predictions, not as a sample of anything; and by which
// kernels. Returns the hash of the parameters that it leaves.
std::string probe_step(const Backend& backend, const CompileOptions& options,
                       const Program& program, const Weights& weights, const Batch& batch,
                       VerifiedMessage& message) {
  const std::unique_ptr<Executable> executable = backend.compile(program, options);
  set_weights(*executable, program, weights);
  executable->load(batch);
  const auto start = std::chrono::steady_clock::now();
  executable->run();
  executable->update();
  message.step_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  message.stages = stages_to_json(program, *executable);
  return sha256_of_update(program, *executable);
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

// What rank 0 of a program of others is to find, from naive in double on as many ranks, which are
// threads of this process.
std::pair<StepReference, std::vector<double>> expected_of_first_rank(const CaseSpec& shape,
                                                                     const Program& program,
                                                                     const Weights& weights) {
  std::pair<StepReference, std::vector<double>> expected;
  run_ranks(shape.ranks, [&](Collectives& collectives) {
    const Batch own = images_of_rank(shape, collectives.rank());
    CompileOptions options = compile_options(shape);
    options.precision = Precision::fp64;
    options.threads = 1;
    options.collectives = &collectives;
    StepReference reference = reference_step(program, weights, own, options.threads, &collectives);
    const auto naive = naive_backend().compile(program, options);
    std::vector<double> losses = training_losses(*naive, program, weights, own, shape.steps);
    if (collectives.rank() == 0) {
      expected = {std::move(reference), std::move(losses)};
    }
  });
  return expected;
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
  StepReference reference;
  std::vector<double> losses;
  if (shape.ranks == 1) {
    const Batch batch = case_batch(shape);
    reference = reference_for(request, program, weights, batch);
    losses = losses_for(request, program, weights, batch);
  } else {
    std::tie(reference, losses) = expected_of_first_rank(shape, program, weights);
  }
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

namespace {

// From rank 0's to everybody's; all know the program that it is of.
void share_reference(RankGroup& group, const Program& whole, StepReference& reference) {
  if (!group.is_first()) {
    reference = empty_reference(whole);
  }
  std::vector<double> numbers = {reference.loss};
  for (const ClassSums& own : reference.sums) {
    numbers.insert(numbers.end(), {own.prediction_target, own.prediction, own.target,
                                   own.target_hard, own.hard, own.correct});
  }
  values_of_first(&group.collectives(), numbers);
  reference.loss = numbers[0];
  for (std::size_t i = 0; i < reference.sums.size(); ++i) {
    const double* n = numbers.data() + 1 + 6 * i;
    reference.sums[i] = {n[0], n[1], n[2], n[3], n[4], n[5]};
  }
  values_of_first(&group.collectives(), reference.prediction);
  for (auto* tensors :
       {&reference.gradients, &reference.contributions, &reference.moving_statistics}) {
    for (auto& [name, values] : *tensors) {
      values_of_first(&group.collectives(), values);
    }
  }
}

// What this rank is to find, from the step of all ranks' images in one process; with batch norms of
// their own, or where these are too many for one process, from naive on as many ranks.
StepReference reference_of_rank(const Request& request, RankGroup& group, const Program& program,
                                const Weights& weights, const Batch& own) {
  const CaseSpec shape = verification_shape(request.spec);
  if (!program.batch_norm.across_ranks || shape.ranks * shape.batch > kReferenceImages) {
    return reference_step(program, weights, own, shape.threads, &group.collectives());
  }
  CaseSpec in_one = shape;
  in_one.batch = shape.batch * shape.ranks;
  in_one.ranks = 1;
  const Program whole = training_program(in_one);
  StepReference reference;
  if (group.is_first()) {
    reference = reference_for(request, whole, weights, case_batch(shape));
  }
  share_reference(group, whole, reference);
  return reference_of_images(reference, group.rank() * shape.batch, shape.batch);
}

// The worst check of all ranks, with the rank in its name where that is not the first one.
void take_worst_of_ranks(RankGroup& group, VerifiedMessage& message) {
  const Json own = {{"tensor", message.tensor},
                    {"error", number_to_json(message.error)},
                    {"tolerance", message.tolerance}};
  double worst = -1;
  const std::vector<Json> all = group.json_of_all(own);
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    const Json& check = all[rank];
    const double tolerance = check.at("tolerance");
    const double error = check.at("error").is_number() ? check.at("error").get<double>()
                                                       : std::numeric_limits<double>::infinity();
    if (error / tolerance > worst) {
      worst = error / tolerance;
      message.tensor = check.at("tensor").get<std::string>() +
                       (rank == 0 ? "" : fmt::format(" of rank {}", rank));
      message.error = error;
      message.tolerance = tolerance;
    }
  }
}

// One update on all ranks, bit by bit.
void refuse_unequal(const std::vector<std::string>& updates, VerifiedMessage& message) {
  for (std::size_t rank = 1; rank < updates.size(); ++rank) {
    if (updates[rank] != updates[0]) {
      message.tensor = fmt::format("the update of rank {}, which is not rank 0's", rank);
      message.error = std::numeric_limits<double>::infinity();
      message.tolerance = 0;
      return;
    }
  }
}

}  // namespace

void verify_case(const Backend& backend, const Request& request, RankGroup* group,
                 const SendMessage& send) {
  const CaseSpec shape = verification_shape(request.spec);
  const Program program = training_program(shape);
  const Weights weights = verification_weights(program, shape.seed);
  CompileOptions options = compile_options(shape);
  const Batch batch = group == nullptr ? case_batch(shape) : images_of_rank(shape, group->rank());
  StepReference reference;
  if (group == nullptr) {
    reference = reference_for(request, program, weights, batch);
  } else {
    options.collectives = &group->collectives();
    reference = reference_of_rank(request, *group, program, weights, batch);
  }
  const Verification verification =
      verify_step(backend, options, program, weights, batch, reference);

  VerifiedMessage message = message_of(shape, verification);
  const std::string updated = probe_step(backend, options, program, weights, batch, message);
  if (group != nullptr) {
    take_worst_of_ranks(*group, message);
    refuse_unequal(texts_of_each(&group->collectives(), updated), message);
  }
  send(message);
}

}  // namespace voxmark

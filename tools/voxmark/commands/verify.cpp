// voxmark verify: does every backend compute the step that the reference computes?
#include "backends/verify/verify.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/registry/registry.h"
#include "base/error.h"
#include "base/json.h"
#include "base/own_program.h"
#include "benches/exchange/exchange.h"
#include "benches/proof/verifier.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/contender.h"
#include "benches/protocol/external_command.h"
#include "benches/threads/thread_team.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"
#include "tools/voxmark/terminal.h"
#include "workloads/network/synthetic.h"

namespace voxmark {
namespace {

struct VerifyOptions {
  ModelOptions model;
  std::vector<std::string> backends;    // empty: all
  std::vector<std::string> references;  // files; empty: naive in double, computed here
  std::string precision;                // empty: see precisions()
  int threads = 1;
  int steps = 0;
  std::uint64_t seed = 1;
  bool json = false;
};

// One backend in one precision against one reference.
struct Result {
  std::string backend;
  Precision precision = Precision::fp32;
  std::string reference;
  std::optional<std::string> skipped;  // why
  std::optional<std::string> failed;   // why an external program computed nothing
  Verification verification;
  std::string hint = {};               // what a mismatch comes of
  ExitCode code = ExitCode::internal;  // where it failed: whose fault that is

  bool compared() const { return !skipped && !failed; }
  bool verified() const { return compared() && verification.passed(); }
  bool refused() const { return compared() && !verification.passed(); }
};

// In fp64 a reference file binds more than in fp32, so both run; naive in double against itself
// would prove nothing.
std::vector<Precision> precisions(const VerifyOptions& options) {
  if (!options.precision.empty()) {
    return {parse_precision(options.precision)};
  }
  if (options.references.empty()) {
    return {Precision::fp32};
  }
  return {Precision::fp64, Precision::fp32};
}

std::vector<std::string> chosen_backends(const VerifyOptions& options) {
  std::vector<std::string> chosen = options.backends;
  if (chosen.empty()) {
    for (const RegisteredBackend& entry : registered_backends()) {
      chosen.push_back(entry.name);
    }
  }
  for (const std::string& name : chosen) {
    if (is_of_build(name)) {
      find_backend(name);
    }
  }
  return chosen;
}

std::optional<std::string> reason_to_skip(const RegisteredBackend& entry, const Program& program,
                                          const CompileOptions& compile) {
  if (entry.backend != nullptr && !entry.backend->computes()) {
    return "computes nothing";
  }
  const std::string reason = obstacle(entry, program, compile);
  return reason.empty() ? std::nullopt : std::optional(reason);
}

// A program of somebody else's, by what it writes: as `voxmark run` verifies it.
Result verify_by_files(const std::string& name, Precision precision, const VerifyOptions& options) {
  CaseSpec spec;
  spec.backend = name;
  spec.image = parse_dims(options.model.image);
  spec.batch = options.model.batch;
  spec.network = options.model.unet;
  spec.precision = precision;
  spec.threads = options.threads;
  spec.seed = options.seed;
  check(spec);
  const ChildProgram program{{own_program(), "child"}, {}};
  const CaseSpec shape = external_verification_shape(spec);
  Result result{name,
                precision,
                fmt::format("naive fp64, {} x {}", to_string(shape.image), shape.batch),
                std::nullopt,
                std::nullopt,
                {}};
  // `run` asks for a plan first: what is wrong with it is found here already.
  const Exchange plan = exchange(program, request_of(ChildMode::plan, spec), [](const auto&) {});
  if (plan.fault && *plan.fault != Outcome::skipped) {
    result.failed = "plan: " + plan.reason;
    result.code = plan.code;
    return result;
  }
  Verifier verifier(program, Json::object(), "");
  const VerifierResult answer = verifier.verify(spec);
  if (answer.record.worst) {
    for (const Json& tensor : answer.tensors) {
      result.verification.checks.push_back({tensor.at("tensor").get<std::string>(),
                                            number_from_json(tensor.at("error"), "error"),
                                            tensor.at("tolerance").get<double>()});
    }
    result.hint = answer.hint;
  } else if (answer.fault) {
    result.failed = answer.reason;
    result.code = answer.code;
  } else {
    result.skipped = answer.record.reason.value_or("does not verify");
  }
  return result;
}

// Of the rows, which are printed as they come.
struct RowLayout {
  std::size_t name_width = 17;
  bool narrow = false;  // what is long goes below its row
};

// As wide as the longest name needs; a command is not held to it.
RowLayout layout_of(const std::vector<std::string>& backends) {
  constexpr std::size_t kBesideName = 103;  // with the longest tensor and reference that are usual
  std::size_t width = RowLayout{}.name_width;
  for (const std::string& name : backends) {
    width = std::max(width, name.starts_with(kExternalPrefix) ? 0 : name.size());
  }
  return {width, terminal_columns().value_or(width + kBesideName) < width + kBesideName};
}

void print_header(const RowLayout& layout) {
  const std::size_t width = layout.name_width;
  if (layout.narrow) {
    fmt::print("{:<{}} {:<9} {:<9} {:>9} {:>9}\n", "backend", width, "precision", "verdict",
               "error", "tolerance");
    return;
  }
  fmt::print("{:<{}} {:<9} {:<9} {:<32} {:>9} {:>9}  {}\n", "backend", width, "precision",
             "verdict", "worst tensor", "error", "tolerance", "against");
}

void print_compared(const Result& result, const RowLayout& layout) {
  const std::size_t width = layout.name_width;
  const std::string precision = to_string(result.precision);
  const char* verdict = result.verified() ? "verified" : "MISMATCH";
  const TensorCheck& worst = result.verification.worst();
  if (layout.narrow) {
    fmt::print("{:<{}} {:<9} {:<9} {:>9.2e} {:>9.2e}\n  worst tensor: {}\n  against: {}\n",
               result.backend, width, precision, verdict, worst.error, worst.tolerance,
               worst.tensor, result.reference);
  } else {
    fmt::print("{:<{}} {:<9} {:<9} {:<32} {:>9.2e} {:>9.2e}  {}\n", result.backend, width,
               precision, verdict, worst.tensor, worst.error, worst.tolerance, result.reference);
  }
  if (!result.hint.empty()) {
    fmt::print("{:<{}} {}\n", "", layout.narrow ? 1 : width, result.hint);
  }
}

void print_row(const Result& result, const RowLayout& layout) {
  const std::string precision = to_string(result.precision);
  if (!result.compared()) {
    const std::string word = result.skipped ? "skipped" : "FAILED";
    fmt::print("{:<{}} {:<9} {}{}\n", result.backend, layout.name_width, precision,
               layout.narrow ? word + "\n  " : fmt::format("{:<10}", word),
               result.skipped ? *result.skipped : *result.failed);
  } else {
    print_compared(result, layout);
  }
  std::fflush(stdout);  // a row takes seconds to come
}

Json check_json(const TensorCheck& check) {
  Json json = {{"tensor", check.tensor},
               {"error", nullptr},
               {"tolerance", check.tolerance},
               {"passed", check.passed()}};
  if (std::isfinite(check.error)) {
    json["error"] = check.error;
  } else {
    json["reason"] = "not a finite number";
  }
  return json;
}

Json result_json(const Result& result) {
  Json json = {{"backend", result.backend},
               {"precision", to_string(result.precision)},
               {"reference", result.reference},
               {"verdict", result.skipped      ? "skipped"
                           : result.failed     ? "failed"
                           : result.verified() ? "verified"
                                               : "mismatch"},
               {"reason", result.skipped         ? Json(*result.skipped)
                          : result.failed        ? Json(*result.failed)
                          : !result.hint.empty() ? Json(result.hint)
                                                 : Json(nullptr)},
               {"worst", nullptr},
               {"checks", Json::array()}};
  if (result.compared()) {
    json["worst"] = check_json(result.verification.worst());
    for (const TensorCheck& check : result.verification.checks) {
      json["checks"].push_back(check_json(check));
    }
  }
  return json;
}

class Checker {
 public:
  explicit Checker(const VerifyOptions& options)
      : options_(options), backends_(chosen_backends(options)), precisions_(precisions(options)) {}

  // One step on a synthetic batch against naive in double, and the losses of `steps` more.
  void against_naive() {
    const Program program = lower_model(options_.model, Mode::training);
    const Batch batch =
        synthetic_batch(program.images, program.dims, options_.model.unet.input_channels,
                        options_.model.unet.classes, options_.seed, 0);
    const Weights weights = verification_weights(program, options_.seed);
    std::optional<StepReference> reference;  // which external programs do not need
    for_each_backend(fmt::format("naive fp64, {} x {}", to_string(program.dims), program.images),
                     program, [&](const Backend& backend, const CompileOptions& compile) {
                       if (!reference) {
                         reference = reference_step(program, weights, batch, options_.threads);
                       }
                       Verification verification =
                           verify_step(backend, compile, program, weights, batch, *reference);
                       if (options_.steps > 0) {
                         const Verification losses = verify_losses(
                             backend, compile, program, initial_weights(program, options_.seed),
                             batch, options_.steps);
                         verification.checks.insert(verification.checks.end(),
                                                    losses.checks.begin(), losses.checks.end());
                       }
                       return verification;
                     });
  }

  void against_file(const std::string& path) {
    for_each_backend(path, reference_program(path),
                     [&](const Backend& backend, const CompileOptions& compile) {
                       return verify_reference_run(backend, compile, path);
                     });
  }

  const std::vector<Result>& results() const { return results_; }

 private:
  template <class Verify>
  Result result_of(const std::string& name, Precision precision, const std::string& reference,
                   const Program& program, Verify verify) {
    if (exchanges_files(name) && options_.references.empty()) {
      return verify_by_files(name, precision, options_);
    }
    Result result{name, precision, reference, std::nullopt, std::nullopt, {}};
    if (exchanges_files(name)) {
      result.skipped = "an external program is verified against naive only";
      return result;
    }
    const RegisteredBackend& entry = find_backend(name);
    const CompileOptions compile{precision, options_.threads, {}};
    result.skipped = reason_to_skip(entry, program, compile);
    if (!result.skipped) {
      result.verification = verify(*entry.backend, compile);
    }
    if (!options_.references.empty() && precision != Precision::fp64) {
      result.reference += fmt::format(" (gradients to {:.0f}% of their contributions)",
                                      100 * kRecordedGradientTolerance);
    }
    return result;
  }

  template <class Verify>
  void for_each_backend(const std::string& reference, const Program& program, Verify verify) {
    const RowLayout layout = layout_of(backends_);
    for (const std::string& name : backends_) {
      for (const Precision precision : precisions_) {
        Result result = result_of(name, precision, reference, program, verify);
        if (!options_.json) {
          if (results_.empty()) {
            print_header(layout);
          }
          print_row(result, layout);
        }
        results_.push_back(std::move(result));
      }
    }
  }

  const VerifyOptions& options_;
  std::vector<std::string> backends_;
  std::vector<Precision> precisions_;
  std::vector<Result> results_;
};

ExitCode verify(const VerifyOptions& options) {
  if (options.threads < 1) {
    throw_bad_input("--threads {}: expected 1 or more", options.threads);
  }
  if (options.steps < 0) {
    throw_bad_input("--steps {}: expected 0 or more", options.steps);
  }
  check_start(options.threads);
  Checker checker(options);
  if (options.references.empty()) {
    checker.against_naive();
  }
  for (const std::string& path : options.references) {
    checker.against_file(path);
  }

  const std::vector<Result>& results = checker.results();
  if (options.json) {
    Json rows = Json::array();
    for (const Result& result : results) {
      rows.push_back(result_json(result));
    }
    fmt::print("{}\n", dump_json({{"results", rows}}, 2));
  }
  ExitCode code = ExitCode::done;
  for (const Result& result : results) {
    code = worse(code, result.failed      ? result.code
                       : result.refused() ? ExitCode::answer_is_no
                                          : ExitCode::done);
  }
  if (code != ExitCode::done) {
    return code;
  }
  const bool any_verified =
      std::any_of(results.begin(), results.end(), [](const Result& r) { return r.verified(); });
  return any_verified ? ExitCode::done : ExitCode::cannot_here;
}

}  // namespace

void add_verify(Command program) {
  const auto options = std::make_shared<VerifyOptions>();
  options->model.image = "48x48x48";  // from here on oneDNN picks the kernels of larger images
  Command command = program.add_command(
      "verify", "Check every backend's step against naive in double, or against recorded runs");
  command
      .add_option("--backend", options->backends,
                  "names (voxmark list backends) or exec:PROGRAM, with commas; this build's when "
                  "left out")
      .split_at(',');
  const Option reference =
      command.add_option("--reference", options->references,
                         "FILE.safetensors of a recorded run; may be given several times");
  add_model_options(command, options->model);
  command.add_option("--precision", options->precision,
                     "fp32, fp64 or bf16; when left out fp32, and fp64 too against recorded runs");
  const Option threads = add_threads_option(command, options->threads, "of the backend");
  command
      .add_option("--steps", options->steps,
                  "training steps whose losses are compared too; naive in double runs as many")
      .show_default();
  command.add_option("--seed", options->seed, "of weights and batch").show_default();
  // What a recorded run says of itself.
  for (const char* own :
       {"--image", "--batch", "--filters", "--channels", "--classes", "--steps", "--seed"}) {
    command.option(own).excludes({reference});
  }
  command.add_flag("--json", options->json, "every tensor's error and tolerance as JSON");
  command.set_footer(
      "Exit code 0: verified, 1: a mismatch or a program that fails, 5: nothing here could be "
      "verified.\n"
      "Example: voxmark verify --backend eigen,onednn --image 64x64x48");
  command.set_action([options, threads] {
    tell_threads(threads);
    return verify(*options);
  });
}

}  // namespace voxmark

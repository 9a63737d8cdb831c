#include "benches/proof/verifier.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/sha256.h"
#include "benches/process/scratch_folder.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/contender.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

VerifierResult accept(const VerifiedMessage& message) {
  VerifierResult result;
  VerificationRecord& record = result.record;
  record.verified = message.passed();
  record.against = "naive fp64";
  record.image = {message.image.d, message.image.h, message.image.w};
  record.worst = TensorError{message.tensor, message.error, message.tolerance};
  record.facts.batch = message.batch;
  record.facts.checks = message.checks;
  result.step_seconds = message.step_seconds;
  result.stages = message.stages;
  result.tensors = message.tensors;
  result.hint = message.hint;
  if (!record.verified) {
    result.fault = Outcome::invalid;
    result.reason =
        fmt::format("wrong numbers at {}: {} is off by {:.3g}, tolerance {:.3g}",
                    to_string(message.image), message.tensor, message.error, message.tolerance);
    if (!message.hint.empty()) {
      result.reason += ": " + message.hint;
    }
    record.reason = result.reason;
  }
  return result;
}

VerifierResult refuse(const Exchange& exchange) {
  VerifierResult result;
  result.interrupted = exchange.interrupted;
  result.record.reason = exchange.reason;
  // A child that does not verify is not a wrong one; that it was not verified is said.
  if (exchange.fault && *exchange.fault != Outcome::skipped) {
    result.fault = exchange.fault;
    result.reason = "verification: " + exchange.reason;
    result.code = exchange.code;
  }
  return result;
}

}  // namespace

Verifier::Verifier(ChildProgram program, Json identity, std::string cache_folder)
    : program_(std::move(program)),
      identity_(std::move(identity)),
      cache_folder_(std::move(cache_folder)) {}

Verifier::~Verifier() { remove_scratch_folder(scratch_folder_); }

Json Verifier::key(const CaseSpec& spec) const {
  return {{"protocol", kProtocol},
          {"identity", identity_},
          {"case", to_json(verification_shape(spec))}};
}

std::string Verifier::cache_path(const std::string& key_hash) const {
  return cache_folder_ + "/verified/" + key_hash + ".json";
}

std::string Verifier::reference_path(const CaseSpec& wanted) {
  if (scratch_folder_.empty()) {
    try {
      scratch_folder_ = make_scratch_folder("voxmark-reference");
    } catch (const Error&) {
      return "";  // every child then computes its own
    }
  }
  CaseSpec shape = wanted;
  shape.backend = "naive";
  shape.isa.clear();
  shape.steps = 1;
  shape.precision = Precision::fp64;
  return scratch_folder_ + "/" + case_key(to_json(shape)) + ".safetensors";
}

std::optional<VerifiedMessage> Verifier::recall(const CaseSpec& spec) const {
  const Json wanted = key(spec);
  const std::string path = cache_path(sha256_hex(dump_json(wanted)));
  if (cache_folder_.empty() || !is_this_program(spec) || access(path.c_str(), R_OK) != 0) {
    return std::nullopt;
  }
  try {
    const Json entry = read_json_file(path);
    if (entry.at("key") != wanted) {
      return std::nullopt;
    }
    const Message message = parse_message(dump_json(entry.at("verified")));
    const VerifiedMessage* verified = std::get_if<VerifiedMessage>(&message);
    return verified != nullptr && verified->passed() ? std::optional(*verified) : std::nullopt;
  } catch (const std::exception&) {
    return std::nullopt;  // a damaged entry is no proof, and is written again
  }
}

void Verifier::remember(const CaseSpec& spec, const VerifiedMessage& message) const {
  if (cache_folder_.empty() || !is_this_program(spec)) {
    return;
  }
  const Json wanted = key(spec);
  try {
    fs::create_directories(cache_folder_ + "/verified");
    AtomicFile file(cache_path(sha256_hex(dump_json(wanted))));
    file.write(dump_json(
        {{"key", wanted}, {"verified", parse_json(to_line(Message(message)), "verified")}}, 1));
    file.commit();
  } catch (const std::exception&) {
    // Without a cache the next run verifies again: slower, and just as right.
  }
}

bool Verifier::knows(const CaseSpec& spec) const {
  return decided_.contains(case_key(key(spec))) || recall(spec).has_value();
}

VerifierResult Verifier::verify(const CaseSpec& spec) {
  const std::string id = case_key(key(spec));
  const auto decided = decided_.find(id);
  if (decided != decided_.end()) {
    return decided->second;
  }
  if (exchanges_files(spec.backend)) {
    VerifierResult result = verify_by_files(spec);
    if (!result.interrupted) {
      decided_[id] = result;
    }
    return result;
  }
  if (const auto recalled = recall(spec)) {
    VerifierResult result = accept(*recalled);
    result.record.facts.cached = true;
    return result;
  }
  const Exchange answer = exchange(
      program_, request_of(ChildMode::verify, spec, reference_path(verification_shape(spec))),
      [](const auto&) {});
  VerifierResult result = answer.verified ? accept(*answer.verified) : refuse(answer);
  if (answer.verified && !result.fault) {
    remember(spec, *answer.verified);
  }
  if (!result.interrupted && (result.fault || !is_this_program(spec))) {
    decided_[id] = result;
  }
  return result;
}

// An external program computes, and one of ours says whether it is right.
VerifierResult Verifier::verify_by_files(const CaseSpec& spec) {
  Request request = request_of(ChildMode::verify, external_verification_shape(spec));
  const CasePaths paths = files_.for_verification(request.spec);
  request.weights_path = paths.weights;
  request.batch_path = paths.batch;
  request.results_path = files_.results_path();
  const Exchange answer = exchange(program_, request, [](const auto&) {});
  if (!answer.computed || answer.fault) {
    return refuse(answer);
  }
  Request check = request_of(ChildMode::check, request.spec, reference_path(request.spec));
  check.spec.backend = "naive";
  check.spec.isa.clear();
  check.results_path = request.results_path;
  check.computed_by = spec.backend;
  const Exchange checked = exchange(program_, check, [](const auto&) {});
  std::filesystem::remove(request.results_path);
  if (!checked.verified || checked.fault) {
    VerifierResult refused = refuse(checked);
    refused.code =
        ExitCode::answer_is_no;  // the program wrote what cannot be read, and no user did
    return refused;
  }
  VerifierResult result = accept(*checked.verified);
  result.step_seconds = answer.computed->step_seconds;
  return result;
}

std::string default_cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
    return std::string(cache) + "/voxmark";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return std::string(home) + "/.cache/voxmark";
  }
  return "";
}

}  // namespace voxmark

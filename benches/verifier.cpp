#include "benches/verifier.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/sha256.h"

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
  record.details = {{"batch", message.batch}, {"checks", message.checks}};
  result.step_seconds = message.step_seconds;
  if (!record.verified) {
    result.fault = Outcome::invalid;
    result.reason =
        fmt::format("wrong numbers at {}: {} is off by {:.3g}, tolerance {:.3g}",
                    to_string(message.image), message.tensor, message.error, message.tolerance);
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
    result.bad_input = exchange.bad_input;
  }
  return result;
}

}  // namespace

Verifier::Verifier(ChildProgram program, Json identity, std::string cache_folder)
    : program_(std::move(program)),
      identity_(std::move(identity)),
      cache_folder_(std::move(cache_folder)) {}

Verifier::~Verifier() {
  std::error_code ignored;
  if (!scratch_folder_.empty()) {
    fs::remove_all(scratch_folder_, ignored);
  }
}

Json Verifier::key(const CaseSpec& spec) const {
  return {{"protocol", kProtocol},
          {"identity", identity_},
          {"case", to_json(verification_shape(spec))}};
}

std::string Verifier::cache_path(const std::string& key_hash) const {
  return cache_folder_ + "/verified/" + key_hash + ".json";
}

std::string Verifier::reference_path(const CaseSpec& spec) {
  if (scratch_folder_.empty()) {
    std::string name = (fs::temp_directory_path() / "voxmark-reference-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      return "";  // every child then computes its own
    }
    scratch_folder_ = name;
  }
  CaseSpec shape = verification_shape(spec);
  shape.backend = "naive";
  shape.precision = Precision::fp64;
  return scratch_folder_ + "/" + case_key(to_json(shape)) + ".safetensors";
}

std::optional<VerifiedMessage> Verifier::recall(const CaseSpec& spec) const {
  const Json wanted = key(spec);
  const std::string path = cache_path(sha256_hex(dump_json(wanted)));
  if (cache_folder_.empty() || access(path.c_str(), R_OK) != 0) {
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
  if (cache_folder_.empty()) {
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
  return failures_.contains(case_key(key(spec))) || recall(spec).has_value();
}

VerifierResult Verifier::verify(const CaseSpec& spec) {
  const std::string id = case_key(key(spec));
  const auto failure = failures_.find(id);
  if (failure != failures_.end()) {
    return failure->second;
  }
  if (const auto recalled = recall(spec)) {
    VerifierResult result = accept(*recalled);
    result.record.details["cached"] = true;
    return result;
  }
  const Exchange answer =
      exchange(program_, {ChildMode::verify, spec, reference_path(spec)}, [](const auto&) {});
  VerifierResult result = answer.verified ? accept(*answer.verified) : refuse(answer);
  if (answer.verified && !result.fault) {
    remember(spec, *answer.verified);
  } else if (!result.interrupted) {
    failures_[id] = result;
  }
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

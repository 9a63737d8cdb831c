// What the runner and a child say to each other, as values and as JSON lines. PROTOCOL.md is the
// same for people who write a child of their own.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "workloads/cases/case_spec.h"

namespace voxmark {

constexpr const char* kProtocol = "voxmark.child/2";

// check is voxmark's own: what an external program computed in mode verify, against the reference.
enum class ChildMode { plan, verify, time, check };

// Runner to child: the first and only line.
struct Request {
  ChildMode mode = ChildMode::time;
  CaseSpec spec;
  // verify: where the reference lies, or is to be left for the next child. "": computed for this
  // child alone.
  std::string reference_path;
  // What an external program starts from: safetensors files that the runner wrote. "": the child
  // makes both from the case's seed.
  std::string weights_path;
  std::string batch_path;
  // verify: the safetensors file that an external program is to write. check: the one it wrote.
  std::string results_path;
  std::string computed_by;  // check: the backend that did, whose rounding is judged
  // time: after "ready" the child reads one more line before its first step. Others do the same
  // case beside it, and all of them begin at once.
  bool awaits_start = false;
};

// The line that it reads then.
constexpr const char* kStartLine = R"({"start": true})";

// A request without files, but for the reference. Of one copy: it knows nothing of the others.
Request request_of(ChildMode mode, const CaseSpec& spec, const std::string& reference_path = "");

// ---- Child to runner ----

struct PlannedMessage {
  std::optional<std::int64_t> planned_bytes;  // none: the child does not plan
  bool exact = true;
  Json plan_by_purpose = Json::object();  // purpose -> bytes
};

// In any mode: the child does not do this, and why.
struct UnsupportedMessage {
  std::string reason;
};

struct VerifiedMessage {
  Dims image;
  std::int64_t batch = 1;
  int checks = 0;      // numbers of tensors compared
  std::string tensor;  // the worst
  double error = 0;    // of it
  double tolerance = 0;
  double step_seconds = 0;      // of one step at that shape
  Json stages = Json::array();  // what was verified, as in ReadyMessage
  // check: of every tensor {"tensor", "error", "tolerance"}, and what the worst one may come of.
  Json tensors = Json::array();
  std::string hint;
  bool passed() const { return error <= tolerance; }  // false for NaN
};

// verify, of an external program: its results lie in the file that the request named.
struct ComputedMessage {
  double step_seconds = 0;  // of one step at that shape
};

struct ReadyMessage {
  std::optional<std::int64_t> base_bytes;  // resident before compile
  std::optional<std::int64_t> allocated_bytes;
  double compile_seconds = 0;
  std::string batch_sha256;    // "" where the child does not say
  std::string weights_sha256;  // likewise
  Json stages = Json::array();
  Json execution = Json::object();  // rounding mode, OpenMP's settings in effect
};

struct StepMessage {
  bool warmup = false;
  double load_seconds = 0;
  double forward_backward_seconds = 0;
  double update_seconds = 0;
  double step_seconds = 0;
  double loss = 0;  // may be NaN or infinite
  Json readings = Json::object();
  std::map<std::string, double> gradient_norms;  // by parameter; of the first step, where told
};

struct DoneMessage {
  // The high-water mark before the child reset it, so that its own preparations do not count.
  std::optional<std::int64_t> earlier_peak_bytes;
  Json probes = Json::object();  // of the process as a whole: counters, energy, threads
  // Of each stage that `ready` named, in a step that was watched; nothing: not watched.
  std::vector<std::optional<double>> stage_seconds;
};

enum class ErrorKind { bad_input, out_of_memory, internal };

struct ErrorMessage {
  ErrorKind kind = ErrorKind::internal;
  std::string message;
};

using Message = std::variant<PlannedMessage, UnsupportedMessage, VerifiedMessage, ComputedMessage,
                             ReadyMessage, StepMessage, DoneMessage, ErrorMessage>;

// One line each, without the newline.
std::string to_line(const Request& request);
std::string to_line(const Message& message);

// Throw Error (bad_input) naming the line's fault; unknown keys are ignored in messages, so that
// children may say more, and refused in requests.
Request parse_request(const std::string& line);
Message parse_message(const std::string& line);

}  // namespace voxmark

// One record: what came of one case in one process. Raw samples, never averages of them.
// Knows nothing of how a case is run; the case itself is JSON, as the runner describes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "results/record_facts.h"

namespace voxmark {

enum class Outcome {
  ok,
  overhead,    // of the harness alone: the backend computes nothing
  skipped,     // cannot be done by this backend or within the budget
  infeasible,  // the plan exceeds the memory there is; not started
  invalid,     // wrong numbers
  diverged,    // the loss stopped being finite
  oom,
  crashed,  // by a signal
  timeout,
  failed,  // an error
};

std::string_view to_string(Outcome outcome);
// Throws Error (bad_input) on any other text.
Outcome parse_outcome(std::string_view text);
// Times are published only with the proof of the work: for ok, and for overhead, where there is
// none to prove.
bool publishes_times(Outcome outcome);

struct StepTimes {
  double load_seconds = 0;              // copying and reordering the batch
  double forward_backward_seconds = 0;  // the paper's step
  double update_seconds = 0;
  double step_seconds = 0;  // forward, backward and update together
};

struct SampleRecord {
  std::optional<StepTimes> times;  // not written where the outcome publishes none
  double loss = 0;                 // may be NaN or infinite where the case diverged
  bool warmup = false;
  Json readings = Json::object();  // of the probes, by name
  // Of several copies: which one did it, from 1, and whether not all others ran steps meanwhile.
  std::optional<std::int64_t> copy = std::nullopt;
  bool alone = false;

  // Whether its times count.
  bool is_timed() const { return !warmup && !alone && times; }
};

// One stage of the executable: what really ran.
struct StageRecord {
  std::vector<std::string> ops;
  std::string implementation;
  std::string layout;
  std::string isa;
  bool recomputed = false;
  std::string kind;       // of work: "convolution"; "" where the child does not say
  std::string direction;  // "forward", "backward_weights", ...; likewise
  // In a step that was watched stage by stage, after the timed ones: no sample. Not written where
  // the outcome publishes no times.
  std::optional<double> seconds;
  std::optional<bool> slow = std::nullopt;  // as the child says

  // A kernel that a library falls back on: as told, or by the name (results/slow_kernel.h).
  bool is_slow() const;
};

// Bytes; nothing where a figure could not be had.
struct MemoryRecord {
  std::optional<std::uint64_t> planned_bytes;
  std::optional<std::uint64_t> allocated_bytes;
  std::optional<std::uint64_t> base_bytes;  // resident before compile
  std::optional<std::uint64_t> peak_bytes;  // the process's high-water mark
  Json plan_by_purpose = Json::object();    // purpose -> bytes
  std::optional<std::string> reason;        // why a figure is missing; the record's if not given
};

struct TensorError {
  std::string tensor;
  double error = 0;  // may be NaN or infinite
  double tolerance = 0;
};

struct VerificationRecord {
  bool verified = false;
  std::string against;              // what it was compared with
  std::vector<std::int64_t> image;  // at which dims; empty: not at all
  std::optional<TensorError> worst;
  std::optional<std::string> reason;  // why it was not verified
  Json details = Json::object();      // as a record's
  VerificationFacts facts = {};
};

struct Record {
  Json spec = Json::object();  // "case" in JSON
  Outcome outcome = Outcome::failed;
  std::optional<std::string> reason;  // always there unless ok, and beside any null
  std::string reproduce;              // the command line that repeats this case
  std::optional<VerificationRecord> verification;
  MemoryRecord memory;
  std::optional<double> compile_seconds;
  std::optional<std::int64_t> flops_per_step;  // nominal, equal for all backends
  std::optional<std::int64_t> parameters;
  std::optional<std::string> input_sha256;    // of the first step's batch
  std::optional<std::string> weights_sha256;  // of the initial weights
  std::vector<SampleRecord> samples;
  std::vector<StageRecord> stages;
  // "details" in JSON: what voxmark knows, and what others added.
  RecordFacts facts;
  Json details = Json::object();
};

// What a child measured beside the steps, and what was in effect there. A program of somebody
// else's may say more: that stays in the details.
void keep_probes(Record& record, const Json& told);
void keep_execution(Record& record, const Json& told);

// Leaves out every time where the outcome publishes none. Whether the rest is complete is the
// schema's question (results/report.h).
Json to_json(const Record& record);

// `json` has been checked against the schema; what is wrong beyond it throws.
Record record_from_json(const Json& json);

// The identity of a case, for resuming: SHA-256 of its JSON with sorted keys. Repeats of a case
// differ by their "process".
std::string case_key(const Json& spec);

}  // namespace voxmark

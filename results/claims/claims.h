// What a paper claims, as data (results/claims/*.json), and what a report says of it: a verdict per
// claim. Pure: from records to verdicts, so that a recorded report can be judged again.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "results/report.h"
#include "results/tables/measured_cases.h"
#include "workloads/network/batch.h"

namespace voxmark {

// holds: the whole interval lies within the claim's tolerance. less, more: it lies outside.
// does_not_hold: what the claim says is not so at all: no speed-up where one is claimed, another
// count, memory that suffices where it is said not to.
// open: the interval reaches over an edge, or fewer than two processes of a side were measured
// undisturbed.
// not_tested: another machine's seconds, or what was not measured here.
enum class Verdict { holds, less, more, does_not_hold, open, not_tested };
std::string_view to_string(Verdict verdict);

// Of a value that was claimed, within `tolerance` (relative) of it.
Verdict judge_value(const Interval& measured, double value, double tolerance);
// The same of a ratio: 1 or less refutes a speed-up.
Verdict judge_ratio(const Interval& measured, double value, double tolerance);

// Of a finding that has no figure.
constexpr const char* kNoFigure = "-";

// One line of evidence.
struct Finding {
  std::string claim;     // its id
  std::string kind;      // of claims.schema.json
  std::string backend;   // whose records tell; "" of a ratio, or of what is not measured
  std::string title;     // what the paper says, in a few words; "" if derived
  std::string place;     // where it says so; "" if derived
  std::string sentence;  // what the paper says; or what is compared, if derived
  std::string paper;     // "3.4x"; "" if derived
  double voxels = 0;     // of the batch that a ratio was measured at
  std::string here;      // "5.20x (4.90..5.60, 3 processes) at ...", or kNoFigure
  Verdict verdict = Verdict::not_tested;
  std::string remark;
  // Several findings may answer one claim; the one at the largest shape decides.
  bool decides = true;
  bool derived = false;   // not of the paper's saying: without a verdict, and decides nothing
  bool question = false;  // of the claim that a reader asks about first
};
// Its verdict in a word: less and more are of the speed-up alone; another figure does not hold.
std::string verdict_word(const Finding& finding);
Json to_json(std::span<const Finding> findings);

struct Claims {
  std::string source;
  std::string question;  // id of the claim whose answer is the answer
  Json claims = Json::array();
  Json factors = Json::array();
  Json generations = Json::array();
};

// Throws Error (bad_input) naming `name` and what breaks claims.schema.json.
Claims claims_from_json(const Json& json, const std::string& name);
// The white paper's, part of the program.
Claims whitepaper_claims();
// The claim that a reader asks about first: its "value", "image" and "batch".
Json question_of(const Claims& claims);
// What a server with so much memory trains, as the paper says: of its table 2.
struct ServerStep {
  Dims image;
  std::int64_t batch = 1;
  double server_bytes = 0;
  bool fits = false;
  std::string text() const;         // "240x240x144 b16"
  std::string server_text() const;  // "192 GB", "1.5 TB"
};
std::vector<ServerStep> table_2(const Claims& claims);
// The suite (benches/suite/suite.schema.json) whose records answer them: in minutes, or all of it.
std::string_view whitepaper_suite_text(bool quick);

// What is known beside the report.
struct Evidence {
  // What the model is, for claims that count: "parameters", "trainable_parameters",
  // "moving_statistics".
  Json model = Json::object();
  Json training;  // a training report (results/training_report.h); null: none
  Json tricks;    // what `voxmark tricks` compared (results/tricks.schema.json); null: nothing
};
std::vector<Finding> judge(const Claims& claims, const Report& report, const Evidence& evidence);

// Of the question: 1 where it does not hold (or our model is not the paper's), 3 where it was not
// tested, 4 where it is open; else 0.
ExitCode exit_code(std::span<const Finding> findings);

}  // namespace voxmark

// What a paper claims, as data (results/claims/*.json), and what a report says of it: a verdict per
// claim. Pure: from records to verdicts, so that a recorded report can be judged again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "results/report.h"
#include "results/summary.h"
#include "results/table.h"

namespace voxmark {

// reproduced: the whole interval lies within the claim's tolerance. lower, higher: it lies outside.
// refuted: what the claim says is not so at all: no speed-up where one is claimed, another count.
// inconclusive: the interval reaches over an edge; more processes would tell.
// not_comparable: another machine's seconds, or what was not measured here.
enum class Verdict { reproduced, lower, higher, refuted, inconclusive, not_comparable };
std::string_view to_string(Verdict verdict);

// An interval around what was measured.
struct Interval {
  double middle = 0;
  double low = 0;
  double high = 0;
};

// Of a ratio that was claimed to be `value`, more than 1, within `tolerance` of it.
Verdict judge_ratio(const Interval& measured, double value, double tolerance);

// One line of evidence.
struct Finding {
  std::string claim;     // its id
  std::string sentence;  // what the paper says, or what follows from it
  std::string paper;     // "3.4x"
  std::string here;      // "5.2x (4.9..5.6)", with the shape; "-" where there is nothing
  Verdict verdict = Verdict::not_comparable;
  std::string remark;
  // Several findings may answer one claim; the one at the largest shape decides.
  bool decides = true;
};

struct Claims {
  std::string source;
  Json claims = Json::array();
  Json factors = Json::array();
};

// Throws Error (bad_input) naming `name` and what breaks claims.schema.json.
Claims claims_from_json(const Json& json, const std::string& name);
// The white paper's, part of the program.
Claims whitepaper_claims();
// The suite (benches/suite.schema.json) whose records answer them: in minutes, or all of it.
std::string_view whitepaper_suite_text(bool quick);

// What the model is, for claims that count: "parameters", "trainable_parameters",
// "moving_statistics".
std::vector<Finding> judge(const Claims& claims, const Report& report, const Json& model);

// The CPU time or wall time of a case over its processes' medians (one process: over its steps).
// clock "wall", "cpu" (user and system) or "user"; span "forward_backward" or "step". Nothing where
// no process published times.
std::optional<Spread> seconds_of(std::span<const Record* const> processes, const std::string& clock,
                                 const std::string& span);

// Bytes of a backend over voxels (times batch), by least squares over the sizes measured.
struct MemoryLine {
  std::string backend, precision;
  Interval bytes_per_voxel;  // 95%, of the slope; low == high with two sizes: no interval
  double base_bytes = 0;
  int sizes = 0;
  // `voxels` of all images of a batch.
  Interval bytes_at(double voxels) const;
};
// Backends that were measured at two sizes or more.
std::vector<MemoryLine> memory_lines(const Report& report);

// 1: a claim is refuted; 4: one is inconclusive; 3: none could be compared; else 0.
ExitCode exit_code(std::span<const Finding> findings);

Table findings_table(std::span<const Finding> findings);
// Where the factor comes from: the links of the chain that were measured, at the largest shape that
// both ends have.
Table factors_table(const Claims& claims, const Report& report);
// The paper's table 1, for every backend of which there is a line.
Table memory_table(std::span<const MemoryLine> lines);
// What of a step's time each backend spends where: page faults, system time, seconds.
Table cost_table(const Report& report);

}  // namespace voxmark

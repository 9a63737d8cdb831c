// What a run measures: grids of cases, from a suite file, from flags, or from both. A flag and a
// key of a suite file are one thing, read by the same code.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "benches/protocol/case_spec.h"
#include "benches/suite/stopping.h"

namespace voxmark {

// Every combination of these lists is a case.
struct Grid {
  std::vector<std::string> backend = {"eigen-tensor", "eigen", "onednn-direct", "onednn"};
  std::vector<Dims> image = {{64, 64, 64}};
  std::vector<std::int64_t> batch = {1};
  std::vector<std::int64_t> channels = {1};
  std::vector<std::int64_t> classes = {1};
  std::vector<std::int64_t> filters = {16};
  std::vector<std::int64_t> threads;  // empty: as many as this process may use
  std::vector<Precision> precision = {Precision::fp32};
  std::vector<std::string> data = {"synthetic"};
  std::vector<std::string> isa = {""};  // "": what this CPU has
  ReadOptions reading;                  // of data folders
  std::uint64_t seed = 1;
  int steps = 5;
  int warmup = 2;
  std::vector<std::int64_t> memory_limits;  // bytes; empty: none
  bool sweeps_memory = false;  // a case for each plan that a backend trades memory for time by
};

struct Suite {
  std::vector<Grid> grids = {Grid{}};
  int repeats = 1;  // processes per case
  StoppingRule stopping;
  std::uint64_t order_seed = 1;  // of the order in which cases are interleaved
  int taint_repeats = 2;         // how often a disturbed process is run again, at most
  std::optional<double> case_budget_seconds;
  double timeout_seconds = 900;  // without a message from a child
  std::string baseline;          // "": eigen-tensor if measured, else the first backend
};

// The keys of a grid and of a suite, which are flags as well: "backend", "memory_limit", ...
const std::vector<std::string>& suite_keys();

// Sets one key from texts, as the command line gives them: "32", "96x96x64", "8GiB". In every grid,
// where it is a grid's. Throws Error (bad_input) naming `name`, what was expected and what was
// found.
void set_key(Suite& suite, const std::string& key, const std::vector<std::string>& values,
             const std::string& name);

// Throws Error (bad_input) naming the file, the place and the fault.
Suite read_suite(const std::string& path);
// The same of a text that is no file; `name` stands in messages.
Suite suite_from_json(const Json& json, const std::string& name);
std::string_view suite_schema_text();

// "a,b,c" in parts. Throws Error (bad_input) when one of them is empty.
std::vector<std::string> split_list(const std::string& text, const std::string& name);

// "1073741824", "512MiB", "1.5GiB", "2GB". Throws Error (bad_input).
std::int64_t parse_bytes(const std::string& text, const std::string& name);

// The cases in the order in which they are listed, checked: by workload, then by process, then by
// backend (benches/run/interleave.h has the order of execution). A case that stands in two grids is
// measured once. `default_threads` fills in empty thread lists. Throws Error (bad_input) as
// check().
std::vector<CaseSpec> expand(const Suite& suite, int default_threads);

}  // namespace voxmark

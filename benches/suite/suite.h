// What a run measures: grids of cases, from a suite file, from flags, or from both. A flag and a
// key of a suite file are one thing, read by the same code.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "benches/suite/stopping.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

// Every combination of these lists is a case.
struct Grid {
  // By the name of a case's field (workloads/cases/case_fields.h), as JSON has its values. A field
  // that is not here is as in CaseSpec{}, and ranks share the threads that expand() is told.
  std::map<std::string, std::vector<Json>, std::less<>> values = {
      {"backend", {"eigen-tensor", "eigen", "onednn-direct", "onednn"}}};
  bool sweeps_memory = false;  // a case for each plan that a backend trades memory for time by
  // Images of all ranks together, which share them: then `values` has no "batch".
  std::vector<std::int64_t> global_batches = {};
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

// A key of a grid or of a suite, which is a flag as well: "backend", "memory_limit", ...
struct SuiteKey {
  std::string name;
  std::string help;
  bool takes_list = false;
  bool names_files = false;  // whose names may have commas
  bool is_switch = false;    // on or off: its flag takes no value
};
const std::vector<SuiteKey>& suite_keys();

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

// Its part of a global batch. Throws Error (bad_input) where the ranks cannot share it equally.
std::int64_t batch_of_rank(std::int64_t images, int ranks);

// "a,b,c" in parts. Throws Error (bad_input) when one of them is empty.
std::vector<std::string> split_list(const std::string& text, const std::string& name);

// The memory limits, in bytes, that a case is measured within when a grid sweeps memory
// (benches/run/memory_sweep.h); none where there is nothing to trade.
using LimitsToSweep = std::function<std::vector<std::int64_t>(const CaseSpec&)>;

// Of a case's ranks, how many share a host, and so its threads.
using RanksOfHost = std::function<int(int ranks)>;

// The cases in the order in which they are listed, checked: by workload, then by process, then by
// backend (benches/run/interleave.h has the order of execution). A case that stands in two grids is
// measured once. `default_threads` fill in empty thread lists; the ranks of a host share them.
// Throws Error (bad_input) as check().
std::vector<CaseSpec> expand(const Suite& suite, int default_threads,
                             const LimitsToSweep& limits_to_sweep,
                             const RanksOfHost& ranks_of_host = std::identity());

}  // namespace voxmark

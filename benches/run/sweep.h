// A run as a whole: checks before the first case, journal, cases, report.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "benches/exchange/contenders.h"
#include "benches/run/runner.h"
#include "benches/suite/suite.h"
#include "benches/threads/thread_settings.h"

namespace voxmark {

struct SweepOptions {
  std::vector<CaseSpec> cases;  // in the order in which they run
  StoppingRule stopping;        // whether more processes of them follow
  // What else is to be measured, by what has been; asked again until it wants nothing more.
  std::function<std::vector<CaseSpec>(const Report& report)> follow_up;
  std::uint64_t order_seed = 1;  // of their order
  std::string out;               // of the report; the journal lies beside it while cases run
  // Goes on: from the journal of a run that stopped, or from the report of one that finished. What
  // was skipped there is tried again. Where there is neither, the run begins.
  bool resume = false;
  // Whether the machine's limits are measured first (benches/limits/machine_limits.h), by a process
  // of this program, for every number of threads that a case has.
  bool measure_limits = false;
  // Another voxmark that runs the same cases, process by process beside this one; "": none. Its
  // report is against_path(out).
  std::string against;
  // Another backend that runs every case beside the one of `cases`, in the same way; "": none.
  std::string against_backend;
  std::string cache_folder = default_cache_folder();  // of proofs; "": none
  RunnerOptions runner;
  bool redact = false;  // no host name and no folders in the report (benches/machine/redact.h)
  RunFacts facts;       // of the report: what was asked for
};

struct SweepResult {
  ExitCode code = ExitCode::done;
  Report report;
  Report against;  // of the other build or backend, where there is one
};

// The children's threads as `settings` say, which stand in the report.
void place_threads(const ThreadSettings& settings, SweepOptions& sweep);

// What can be known to be wrong before anything runs: an unknown backend, a data set that cannot be
// read or is smaller than the image, more threads than CPUs to run them. Throws Error (bad_input).
// Returns what a person should know of the data, in lines.
std::vector<std::string> check_before_start(const std::vector<CaseSpec>& cases, int cpus);

// Throws Error (bad_input) when a new run would overwrite a finished report (base/overwrite.h), or
// the other side's of a comparison.
void check_new(const std::string& out, bool is_comparison, bool overwrite);

// Throws Error (bad_input) when no report can be written to `out`.
void check_out(const std::string& out);

// Runs the cases and writes the report, a partial one when an interrupt comes; the journal of a
// partial one stays, to be resumed. Throws Error: bad_input when `out` cannot be written (before
// the first case) or a resumed journal is of another run (benches/run/run_identity.h), internal
// when writing fails.
SweepResult run_sweep(const SweepOptions& options, RunObserver& observer);

// "a/report.json" -> "a/report.against.json"
std::string against_path(const std::string& out);
std::string journal_path(const std::string& out);

}  // namespace voxmark

#include "benches/sweep.h"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <set>

#include "backends/registry.h"
#include "base/error.h"
#include "benches/build_info.h"
#include "benches/environment.h"
#include "workloads/batch_source.h"

namespace voxmark {
namespace {

ReportHeader header_of(const SweepOptions& options) {
  const MemoryRoom room = options.runner.room();
  ReportHeader header;
  header.created = iso_time(std::chrono::system_clock::now());
  header.voxmark = program_facts(binary_sha256());
  header.environment = probe_environment();
  header.limits = {{"memory_bytes", room.bytes},
                   {"memory_source", room.source},
                   {"timeout_seconds", options.runner.child.patience_seconds}};
  if (options.runner.case_budget_seconds) {
    header.limits["case_budget_seconds"] = *options.runner.case_budget_seconds;
  }
  header.details = options.details;
  return header;
}

// A folder, or a path into a folder that is not there, would only be found at the end.
void check_writable(const std::string& out) {
  std::error_code failure;
  if (out.empty() || std::filesystem::is_directory(out, failure)) {
    throw_bad_input("--out {}: expected the name of a file", out.empty() ? "\"\"" : out);
  }
  if (std::filesystem::exists(out, failure) && access(out.c_str(), W_OK) != 0) {
    throw_bad_input("--out {}: cannot be written", out);
  }
}

std::unique_ptr<Journal> open_journal(const SweepOptions& options) {
  const std::string path = journal_path(options.out);
  const ReportHeader header = header_of(options);
  if (!options.resume) {
    return std::make_unique<Journal>(path, header);
  }
  auto journal = std::make_unique<Journal>(path);
  const Json& measured_by = journal->report().header.voxmark["binary_sha256"];
  if (measured_by != header.voxmark["binary_sha256"]) {
    throw_bad_input("--resume {}: written by another build of voxmark; measure anew", path);
  }
  return journal;
}

}  // namespace

std::string journal_path(const std::string& out) { return out + ".journal"; }

void check_before_start(const std::vector<CaseSpec>& cases, int cpus) {
  std::set<std::string> data;
  for (const CaseSpec& spec : cases) {
    if (is_external(spec)) {
      child_command({}, spec);  // one that is not installed is skipped
    } else {
      find_backend(spec.backend);
    }
    if (spec.threads > cpus) {
      throw_bad_input("threads {}: this process may run on {} CPUs", spec.threads, cpus);
    }
    if (spec.data != "synthetic" && spec.data != "phantom" && data.insert(spec.data).second) {
      decathlon_subjects(spec.data, spec.seed);
    }
  }
}

SweepResult run_sweep(const SweepOptions& options, RunObserver& observer) {
  check_writable(options.out);
  const std::unique_ptr<Journal> journal = open_journal(options);
  Verifier verifier(options.runner.child, kernel_identity(), options.cache_folder);
  Runner runner(options.runner, verifier, observer);
  SweepResult result;
  result.code = runner.run(options.cases, *journal);
  result.report = journal->report();
  write_report(options.out, result.report);
  if (result.code != ExitCode::interrupted && result.code != ExitCode::terminated) {
    std::error_code ignored;
    std::filesystem::remove(journal_path(options.out), ignored);
  }
  return result;
}

}  // namespace voxmark

// voxmark rerun: measures a case of a report again, and lets voxmark compare judge both.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/number_text.h"
#include "base/own_program.h"
#include "base/shell_word.h"
#include "base/tell.h"
#include "benches/machine/environment.h"
#include "benches/machine/loaded_libraries.h"
#include "benches/process/interrupt.h"
#include "benches/run/progress.h"
#include "benches/run/sweep.h"
#include "benches/suite/suite.h"
#include "benches/threads/thread_settings.h"
#include "results/report.h"
#include "tools/voxmark/external.h"
#include "tools/voxmark/rank_options.h"
#include "tools/voxmark/subcommand.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

struct Options {
  std::string report;
  std::optional<std::size_t> record;
  std::optional<int> repeats;
  std::string out;
  bool overwrite = false;
  RankFlags ranks;
};

// The record that is asked for, or the first that was measured.
const Record& chosen(const Report& report, const Options& options) {
  if (options.record) {
    if (*options.record >= report.records.size()) {
      throw_bad_input("--case {}: {} has records 0 to {}", *options.record, options.report,
                      static_cast<std::int64_t>(report.records.size()) - 1);
    }
    return report.records[*options.record];
  }
  for (const Record& record : report.records) {
    if (publishes_times(record.outcome)) {
      return record;
    }
  }
  throw_bad_input("{}: no record was measured; name one with --case", options.report);
}

// The report with nothing but the processes of the case.
Report only_case(const Report& report, const Record& chosen) {
  Report result{report.header, {}};
  for (const Record& record : report.records) {
    if (without_process(record.spec) == without_process(chosen.spec)) {
      result.records.push_back(record);
    }
  }
  return result;
}

// As many processes as the report has, or as were asked for.
std::vector<CaseSpec> cases_again(const Report& then, const Options& options) {
  const std::int64_t repeats = options.repeats.value_or(static_cast<int>(then.records.size()));
  if (repeats < 1) {
    throw_bad_input("--repeats {}: expected 1 or more", repeats);
  }
  std::vector<CaseSpec> cases(static_cast<std::size_t>(repeats),
                              case_from_json(then.records.front().spec, options.report));
  for (std::size_t i = 0; i < cases.size(); ++i) {
    cases[i].process = static_cast<int>(i);
  }
  return cases;
}

// "a/report.json.rerun.json" -> "a/report.json.rerun.then.json"
std::string then_path(const std::string& out) {
  std::filesystem::path path(out);
  const std::string extension = path.extension();
  return path.replace_extension(".then" + extension);
}

void warn_of_another_program(const Record& then, const Record& now) {
  const auto& before = then.facts.program;
  const auto& after = now.facts.program;
  if (before && after && before->files != after->files) {
    tell(stderr, "Warning: {} is another program than the report's: its files' hashes differ\n",
         after->command.value_or(""));
  }
}

// By the rule, the words and the exit codes of voxmark compare.
ExitCode judge(const std::string& then, const std::string& now) {
  const char* path = std::getenv("PATH");
  const auto compare = find_external("compare", program_folder(), path == nullptr ? "" : path);
  const std::string command =
      fmt::format("voxmark compare {} {}", shell_word(then), shell_word(now));
  if (!compare) {
    throw Error(ExitCode::cannot_here,
                fmt::format("no verdict: there is no voxmark-compare, which ci/tools installs; "
                            "then: {}",
                            command));
  }
  tell(stderr, "The verdict: {}\n", command);
  std::fflush(stdout);
  become_external(*compare, {then, now});
}

ExitCode rerun(const Options& options) {
  const Report report = read_report(options.report);
  const Report then = only_case(report, chosen(report, options));
  SweepOptions sweep;
  sweep.cases = cases_again(then, options);
  check_before_start(sweep.cases, allowed_cpus());
  sweep.out = options.out.empty() ? options.report + ".rerun.json" : options.out;
  check_new(sweep.out, false, options.overwrite);
  sweep.runner.child.command = {own_program(), "child"};
  if (sweep.cases.front().ranks > 1) {
    auto found = rank_settings(options.ranks);
    if (auto* settings = std::get_if<RankSettings>(&found)) {
      sweep.runner.child.ranks = std::move(*settings);
      sweep.runner.no_ranks.clear();
    } else {
      sweep.runner.no_ranks = std::get<std::string>(found);
    }
  }
  sweep.runner.taint_repeats =
      static_cast<int>(report.header.facts.taint_repeats.value_or(Suite{}.taint_repeats));
  sweep.measure_limits = true;
  ThreadSettings threads =
      thread_settings_of(report.header.facts.thread_settings.value_or(ThreadFacts()));
  check(threads);
  threads.runtime = openmp_runtime();
  sweep.facts.rerun_of = options.report;
  place_threads(threads, sweep);
  tell(stderr, "{}: {} again\n", describe(sweep.cases.front()),
       counted(static_cast<std::int64_t>(sweep.cases.size()), "process"));
  catch_interrupts();
  Progress progress(stderr, sweep.cases.size());
  const SweepResult result = run_sweep(sweep, progress);
  if (result.report.records.empty()) {
    return result.code;
  }
  const Record& now = result.report.records.front();
  warn_of_another_program(then.records.front(), now);
  if (result.code == ExitCode::bad_input || result.code == ExitCode::cannot_here) {
    throw Error(result.code, fmt::format("{}: {}: {}", describe(sweep.cases.front()),
                                         to_string(now.outcome), now.reason.value_or("")));
  }
  if (result.code == ExitCode::interrupted || result.code == ExitCode::terminated) {
    return result.code;
  }
  write_report(then_path(sweep.out), then);
  return judge(then_path(sweep.out), sweep.out);
}

}  // namespace

void add_rerun(Command program) {
  auto options = std::make_shared<Options>();
  Command command =
      program.add_command("rerun",
                          "Measures a case of a report again, and judges both as voxmark compare "
                          "does: its words, its exit codes.\n"
                          "Example: voxmark rerun report.json --case 2");
  command.add_option("report", options->report, "report file").required();
  command.add_option("--case", options->record, "number of one of its records, from 0");
  command.add_option("--repeats", options->repeats,
                     "processes; default: as many as the report has of the case");
  add_rank_options(command, options->ranks);
  command.add_option("--out", options->out, "the new report; default: REPORT.rerun.json");
  command.add_flag("--overwrite", options->overwrite, "replace the new report that is there");
  command.set_action([options] { return rerun(*options); });
}

}  // namespace voxmark

// voxmark rerun: measures a case of a report again, and puts both figures side by side.
#include <filesystem>
#include <memory>
#include <optional>

#include "benches/environment.h"
#include "benches/interrupt.h"
#include "benches/loaded_libraries.h"
#include "benches/progress.h"
#include "benches/sweep.h"
#include "benches/thread_settings.h"
#include "results/summary.h"
#include "tools/voxmark/subcommand.h"

namespace voxmark {
namespace {

struct Options {
  std::string report;
  std::optional<std::size_t> record;
  std::string out;
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

std::optional<double> median_seconds(const Record& record) {
  const CaseSummary summary = summarise(std::span(&record, 1)).front();
  return summary.step_seconds ? std::optional(summary.step_seconds->median) : std::nullopt;
}

std::string seconds_text(const Record& record) {
  const std::optional<double> seconds = median_seconds(record);
  return seconds ? fmt::format("{:.4g} s per step", *seconds)
                 : fmt::format("{} ({})", to_string(record.outcome), record.reason.value_or(""));
}

ExitCode rerun(const Options& options) {
  const Report report = read_report(options.report);
  const Record& then = chosen(report, options);
  SweepOptions sweep;
  sweep.cases = {case_from_json(then.spec, options.report)};
  check_before_start(sweep.cases, allowed_cpus());
  sweep.out = options.out.empty() ? options.report + ".rerun.json" : options.out;
  sweep.runner.child.command = {"/proc/self/exe", "child"};
  sweep.measure_limits = true;
  ThreadSettings threads =
      thread_settings_from_json(report.header.details.value("thread_settings", Json::object()));
  check(threads);
  threads.runtime = openmp_runtime();
  sweep.details = {{"rerun_of", options.report}};
  place_threads(threads, sweep);
  catch_interrupts();
  Progress progress(stderr, 1);
  const SweepResult result = run_sweep(sweep, progress);
  if (result.report.records.empty()) {
    return result.code;
  }
  const Record& now = result.report.records.front();
  fmt::print("{}\nthen: {}\nnow:  {}\n", describe(sweep.cases.front()), seconds_text(then),
             seconds_text(now));
  if (median_seconds(then) && median_seconds(now)) {
    fmt::print("now / then: {:.3f}\n", *median_seconds(now) / *median_seconds(then));
  }
  if (report.header.environment["cpu"] != result.report.header.environment["cpu"]) {
    fmt::print("not the same machine: its CPU differs from the report's\n");
  }
  return result.code;
}

}  // namespace

void add_rerun(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("rerun",
                         "Measures a case of a report again and compares the medians.\n"
                         "Example: voxmark rerun report.json --case 2");
  command->add_option("report", options->report, "report file")->required();
  command->add_option("--case", options->record, "number of the record, from 0");
  command->add_option("--out", options->out, "the new report; default: REPORT.rerun.json");
  command->callback([&action, options] { action = [options] { return rerun(*options); }; });
}

}  // namespace voxmark

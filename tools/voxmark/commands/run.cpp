// voxmark run: measures a suite, or what the flags say, and ends in a report and a table.
#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "backends/registry/registry.h"
#include "base/error.h"
#include "base/number_text.h"
#include "base/own_program.h"
#include "base/shell_word.h"
#include "base/tell.h"
#include "benches/machine/environment.h"
#include "benches/machine/loaded_libraries.h"
#include "benches/machine/topology.h"
#include "benches/probes/counters.h"
#include "benches/process/interrupt.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/contender.h"
#include "benches/run/interleave.h"
#include "benches/run/memory_sweep.h"
#include "benches/run/other_build.h"
#include "benches/run/progress.h"
#include "benches/run/ranks_here.h"
#include "benches/run/sweep.h"
#include "benches/suite/suite.h"
#include "benches/suite/value_list.h"
#include "benches/threads/thread_settings.h"
#include "results/tables/case_table.h"
#include "results/tables/deciding.h"
#include "results/tables/noise.h"
#include "results/tables/rank_table.h"
#include "results/tables/step_profile.h"
#include "results/tables/summary.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/rank_options.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"
#include "tools/voxmark/terminal.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

struct Options {
  std::string suite;
  RankFlags ranks;
  std::map<std::string, std::optional<std::string>> flags;  // by key of a suite
  SweepOptions sweep;                                       // as far as flags tell, without a suite
  bool dry_run = false;
  bool overwrite = false;
  bool no_cache = false;
  bool no_limits = false;
  std::string counters = "default";
  ThreadSettings threads;
  std::vector<std::string> profiles;  // "stages" or "": where the step goes; "paper": settings
};

// What is to be measured.
struct Request {
  Suite suite;
  std::vector<CaseSpec> cases;  // as they are listed
  std::string baseline;
  std::string other;  // another build or backend that stands beside this one; "" for none
  ThreadSettings threads;
  std::optional<RankSettings> ranks;  // where a case has several
  std::string no_ranks;               // why there are no settings
};

// Steps that --profile watches stage by stage in each process, and takes the medians of.
constexpr const char* kWatchedSteps = "5";

bool wants_stages(const Options& options) {
  return std::any_of(options.profiles.begin(), options.profiles.end(),
                     [](const std::string& name) { return name.empty() || name == "stages"; });
}

ThreadSettings thread_settings(const Options& options) {
  ThreadSettings settings = options.threads;
  for (const std::string& name : options.profiles) {
    if (name == "paper") {
      settings.profile = name;
    } else if (!name.empty() && name != "stages") {
      throw_bad_input("--profile {}: expected stages (or nothing) or paper", name);
    }
  }
  check(settings);
  return settings;
}

std::string flag_name(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return "--" + key;
}

Suite suite_of(const Options& options) {
  Suite suite;
  if (!options.suite.empty()) {
    suite = read_suite(options.suite);
  }
  for (const SuiteKey& key : suite_keys()) {
    const std::optional<std::string>& text = options.flags.at(key.name);
    if (!text) {
      continue;
    }
    const std::string name = flag_name(key.name);
    if (key.names_files) {
      set_key(suite, key.name, split_files(*text, name), name);
    } else if (key.takes_list) {
      const std::vector<std::string> values = split_list(*text, name);
      const std::string warning = key.name == "image" ? one_image_meant(values) : "";
      if (!warning.empty()) {
        tell(stderr, "warning: {}\n", warning);
      }
      set_key(suite, key.name, values, name);
    } else {
      set_key(suite, key.name, {*text}, name);
    }
  }
  return suite;
}

// A number that nothing would come of.
void check_max_repeats(const Options& options, const Suite& suite) {
  if (!options.flags.at("max_repeats")) {
    return;
  }
  if (!suite.stopping.precision_target && !suite.stopping.time_budget_seconds) {
    throw_bad_input("--max-repeats: takes --precision-target or --time-budget, which it bounds");
  }
  if (suite.stopping.max_processes < suite.repeats) {
    throw_bad_input("--max-repeats {}: expected {} (--repeats) or more",
                    suite.stopping.max_processes, suite.repeats);
  }
}

std::string baseline_of(const Suite& suite, const std::vector<CaseSpec>& cases) {
  const std::string wanted = suite.baseline.empty() ? "eigen-tensor" : suite.baseline;
  const bool measured = std::any_of(cases.begin(), cases.end(),
                                    [&](const CaseSpec& spec) { return spec.backend == wanted; });
  if (!measured && !suite.baseline.empty()) {
    throw_bad_input("--baseline {}: not among the backends to be measured", wanted);
  }
  return measured ? wanted : cases.front().backend;
}

// Why a case will not run, as far as that can be told beforehand; "" where it will.
std::string obstacle_of(const CaseSpec& spec, const std::string& no_ranks) {
  if (std::string reason = obstacle_of_ranks(spec, no_ranks); !reason.empty()) {
    return reason;
  }
  std::string missing = contender_of(spec, {own_program()}).missing;
  if (!missing.empty() || !is_of_build(spec.backend)) {
    return missing;
  }
  return obstacle(find_backend(spec.backend), training_program(spec), compile_options(spec));
}

// " channels 1 classes 1": what tables have a column for and describe() leaves out.
std::string further_fields(const CaseSpec& spec) {
  std::string text;
  for (const CaseField& field : case_fields()) {
    if (!field.column.empty() && field.short_name.empty()) {
      text += fmt::format(" {} {}", field.column, value_words(field, field.read(spec)));
    }
  }
  return text;
}

void print_cases(std::FILE* stream, const Request& request, const char* sides) {
  const Suite& suite = request.suite;
  std::int64_t distinct = 0, skipped = 0;
  for (const CaseSpec& spec : request.cases) {
    if (spec.process == 0) {
      const std::string reason = obstacle_of(spec, request.no_ranks);
      ++(reason.empty() ? distinct : skipped);
      tell(stream, "  {}{}{}\n", describe(spec), further_fields(spec),
           reason.empty() ? "" : ": will be skipped, " + reason);
    }
  }
  const bool may_grow = suite.stopping.precision_target || suite.stopping.time_budget_seconds;
  const auto runs = distinct * suite.repeats;
  tell(stream, "{} {} x {} {} = {} {}{}{}{}\n", distinct, distinct == 1 ? "case" : "cases",
       suite.repeats, suite.repeats == 1 ? "process" : "processes", runs,
       runs == 1 ? "run" : "runs",
       may_grow ? fmt::format(", then up to {} processes of each",
                              std::max(suite.stopping.max_processes, suite.repeats))
                : "",
       sides, skipped == 0 ? "" : fmt::format("; {} more will be skipped", skipped));
}

// What a later voxmark compare of so many cases takes: it asks of each whether its step and its
// peak memory changed, and corrects for asking all at once.
std::string processes_to_compare(const Request& request) {
  const Suite& suite = request.suite;
  const auto distinct = std::ranges::count_if(request.cases, [&](const CaseSpec& spec) {
    return spec.process == 0 && obstacle_of(spec, request.no_ranks).empty();
  });
  if (distinct == 0) {
    return "";
  }
  const int least = least_processes_to_compare(2 * distinct);
  const bool may_grow = suite.stopping.precision_target || suite.stopping.time_budget_seconds;
  const bool too_few = suite.repeats < least && !may_grow;
  return fmt::format(
      "voxmark compare of {} {} takes {} or more processes of each, for before and for after{}\n",
      distinct, distinct == 1 ? "case" : "cases", least,
      too_few
          ? fmt::format(": with {} it can find no slower step; --repeats {}", suite.repeats, least)
          : "");
}

RunFacts facts_of(const Options& options, const Request& request) {
  std::map<std::string, std::string> flags;
  for (const auto& [key, text] : options.flags) {
    if (text) {
      flags[key] = *text;
    }
  }
  RunFacts facts;
  if (!options.suite.empty()) {
    facts.suite = options.suite;
  }
  facts.flags = std::move(flags);
  facts.repeats = request.suite.repeats;
  facts.order_seed = request.suite.order_seed;
  facts.taint_repeats = request.suite.taint_repeats;
  facts.baseline = request.baseline;
  if (!options.sweep.against_backend.empty()) {
    facts.against_backend = options.sweep.against_backend;
  }
  return facts;
}

// What stands beside this build and its backend: another build, or another backend; "" for none.
std::string other_side(const SweepOptions& sweep, const std::vector<CaseSpec>& cases, int cpus) {
  check_contenders(cases, sweep.against, sweep.against_backend);
  if (!sweep.against_backend.empty()) {
    check_before_start(with_backend(cases, sweep.against_backend), cpus);
  }
  return sweep.against.empty() ? sweep.against_backend : sweep.against;
}

void print_other_side(const SweepOptions& sweep, const SweepResult& result,
                      const Request& request) {
  const bool is_build = !sweep.against.empty();
  const std::vector<CaseSpec> own =
      is_build ? request.cases : with_backend(request.cases, sweep.against_backend);
  fmt::print("\n{}:\n{}", request.other,
             fitted(case_table(summarise(in_listed_order(result.against.records, own)),
                               is_build ? request.baseline : sweep.against_backend)));
  tell(stderr, "The verdict: voxmark compare {} {}{}\n", shell_word(against_path(sweep.out)),
       shell_word(sweep.out), is_build ? "" : " --ignore backend");
}

// "; 3 of 10 processes were disturbed, 2 of them left out", or "".
std::string disturbed_text(std::span<const CaseSummary> cases) {
  int disturbed = 0, left_out = 0, measured = 0;
  for (const CaseSummary& own : cases) {
    disturbed += own.disturbed;
    left_out += own.left_out;
    measured += own.processes + own.left_out;
  }
  return disturbed == 0 ? ""
                        : fmt::format("; {}, {} of them left out",
                                      disturbed_count(disturbed, measured), left_out);
}

bool has_ranks(const Suite& suite) {
  return std::ranges::any_of(suite.grids, [](const Grid& grid) {
    const auto ranks = grid.values.find("ranks");
    return ranks != grid.values.end() &&
           std::ranges::any_of(ranks->second, [](const Json& count) { return count != 1; });
  });
}

void set_ranks(const Options& options, Request& request) {
  if (!has_ranks(request.suite)) {
    return;
  }
  auto found = rank_settings(options.ranks);
  if (auto* settings = std::get_if<RankSettings>(&found)) {
    request.ranks = std::move(*settings);
  } else {
    request.no_ranks = std::get<std::string>(found);
  }
}

// Of ranks by threads, what has more threads than there are CPUs: where the same ranks fit with
// fewer threads, it is left out.
void leave_out_too_many_threads(const Options& options, std::vector<CaseSpec>& cases) {
  const auto fits = [&options](const CaseSpec& spec) {
    return spec.ranks == 1 || have_cpus_for_ranks(options.ranks, spec.ranks, spec.threads);
  };
  std::set<int> fitting;
  for (const CaseSpec& spec : cases) {
    if (fits(spec)) {
      fitting.insert(spec.ranks);
    }
  }
  std::set<std::pair<int, int>> told;
  std::erase_if(cases, [&](const CaseSpec& spec) {
    const bool is_out = !fits(spec) && fitting.contains(spec.ranks);
    if (is_out && told.insert({spec.ranks, spec.threads}).second) {
      tell(stderr, "Left out: --ranks {} with --threads {}, as there are {} (or --oversubscribe)\n",
           spec.ranks, spec.threads, counted(allowed_cpus(), "CPU"));
    }
    return is_out;
  });
}

// Throws Error (bad_input) for what would end a case when its ranks are started.
void check_ranks(const Options& options, const Request& request) {
  for (const CaseSpec& spec : request.cases) {
    if (spec.ranks == 1) {
      continue;
    }
    if (request.ranks && computes_on_ranks(spec.backend)) {
      started_as_ranks(*request.ranks, spec, Contender{{own_program()}, {}, ""}, {});
    }
    check_cpus_for_ranks(options.ranks, spec.ranks, spec.threads);
  }
}

// Throws Error (bad_input) where something is wrong that can be known before anything runs.
Request checked_request(const Options& options) {
  Request request;
  request.suite = suite_of(options);
  check_max_repeats(options, request.suite);
  const int cpus = allowed_cpus();
  set_ranks(options, request);
  request.cases = expand(request.suite, told_default_threads(request.suite), limits_to_sweep,
                         [&request](int ranks) {
                           return request.ranks ? most_ranks_of_host(*request.ranks, ranks) : ranks;
                         });
  leave_out_too_many_threads(options, request.cases);
  request.baseline = baseline_of(request.suite, request.cases);
  for (const std::string& warning : check_before_start(request.cases, cpus)) {
    tell(stderr, "warning: {}\n", warning);
  }
  counter_groups(options.counters);
  request.threads = thread_settings(options);
  check_ranks(options, request);
  request.other = other_side(options.sweep, request.cases, cpus);
  return request;
}

void print_request(std::FILE* stream, const Options& options, const Request& request) {
  const char* sides = !options.sweep.against.empty() ? ", all of them by two builds"
                      : !request.other.empty()       ? ", all of them by two backends"
                                                     : "";
  print_cases(stream, request, sides);
}

// What a run finds wrong before its first case, and what it would measure.
ExitCode run_nothing(const Options& options, const Request& request) {
  check_out(options.sweep.out);
  if (!options.sweep.against.empty()) {
    ReportHeader described;
    describe_other_build(options.sweep.against, described);
  }
  print_request(stdout, options, request);
  tell(stdout, "{}", processes_to_compare(request));
  return ExitCode::done;
}

// Of threads whose memory may be far from them.
std::optional<std::string> told_numa_warning(const ThreadSettings& threads) {
  const Json machine = {{"cpu", {{"numa_nodes", topology().value("numa_nodes", Json()).size()}}},
                        {"variables", performance_variables()}};
  auto warning = numa_warning(machine, threads);
  if (warning) {
    tell(stderr, "Warning: {}\n", *warning);
  }
  return warning;
}

void tell_missing_counters(const Options& options) {
  const std::string missing = missing_hardware_counters();
  if (options.counters != "none" && !missing.empty()) {
    tell(stderr, "No hardware counters: {}\n", missing);
  }
}

std::vector<std::string> child_command(const Options& options) {
  std::vector<std::string> command = {own_program(), "child", "--counters", options.counters};
  if (wants_stages(options)) {
    command.insert(command.end(), {"--watched-steps", kWatchedSteps});
  }
  return command;
}

SweepOptions sweep_of(const Options& options, const Request& request) {
  SweepOptions sweep = options.sweep;
  sweep.cases = interleave(request.cases, request.suite.order_seed);
  sweep.stopping = request.suite.stopping;
  sweep.order_seed = request.suite.order_seed;
  sweep.measure_limits = !options.no_limits;
  if (options.no_cache) {
    sweep.cache_folder.clear();
  }
  sweep.runner.taint_repeats = request.suite.taint_repeats;
  sweep.runner.child.command = child_command(options);
  sweep.runner.child.ranks = request.ranks;
  sweep.runner.no_ranks = request.no_ranks;
  sweep.runner.child.patience_seconds = request.suite.timeout_seconds;
  sweep.runner.case_budget_seconds = request.suite.case_budget_seconds;
  sweep.facts = facts_of(options, request);
  return sweep;
}

void print_result(const Options& options, const Request& request, const SweepResult& result) {
  const std::vector<Record> records = in_listed_order(result.report.records, request.cases);
  const std::vector<CaseSummary> summaries = summarise(records);
  fmt::print("{}", fitted(case_table(summaries, request.baseline)));
  if (const std::string ranks = render_rank_rows(rank_rows(records)); !ranks.empty()) {
    fmt::print("\n{}", ranks);
  }
  if (wants_stages(options)) {
    fmt::print("\n{}", render_profiles(step_profiles(records)));
  }
  if (!request.other.empty()) {
    print_other_side(options.sweep, result, request);
  }
  tell(stderr, "{} of {} in {}{}\n",
       counted(static_cast<std::int64_t>(result.report.records.size()), "record"),
       request.cases.size(), options.sweep.out, disturbed_text(summaries));
}

ExitCode run(const Options& options) {
  Request request = checked_request(options);
  if (options.dry_run) {
    return run_nothing(options, request);
  }
  if (!options.sweep.resume) {
    check_new(options.sweep.out, !request.other.empty(), options.overwrite);
  }
  print_request(stderr, options, request);
  request.threads.runtime = openmp_runtime();
  const auto warning = told_numa_warning(request.threads);
  tell_missing_counters(options);
  SweepOptions sweep = sweep_of(options, request);
  place_threads(request.threads, sweep);
  sweep.facts.thread_settings->warning = warning;
  catch_interrupts();
  Progress progress(stderr, request.cases.size() * (request.other.empty() ? 1 : 2));
  const SweepResult result = run_sweep(sweep, progress);
  print_result(options, request, result);
  return result.code;
}

}  // namespace

void add_run(Command program) {
  auto options = std::make_shared<Options>();
  options->sweep.out = "voxmark-report.json";
  Command command = program.add_command(
      "run",
      "Times training steps, each case verified first and in a process of its own.\n"
      "Example: voxmark run --backend eigen,onednn --image 32,64 --repeats 3 --out report.json");
  command.add_option("suite,--suite", options->suite,
                     "suite file (benches/suite/suite.schema.json)");
  for (const SuiteKey& key : suite_keys()) {
    std::optional<std::string>& text = options->flags[key.name];
    if (key.is_switch) {
      command.add_flag(flag_name(key.name), text, key.help);
    } else {
      command.add_option(flag_name(key.name), text, key.help);
    }
  }
  command.option("--global-batch").excludes({command.option("--batch")});
  add_rank_options(command, options->ranks);
  command.add_option("--out", options->sweep.out, "report").show_default();
  command.add_flag("--dry-run", options->dry_run, "list and count the cases, and stop");
  const Option resume =
      command.add_flag("--resume", options->sweep.resume,
                       "go on where the run with this --out ended, and try again what it skipped");
  command.add_flag("--overwrite", options->overwrite, "replace the report that is there")
      .excludes({resume});
  command.add_flag("--no-cache", options->no_cache, "verify anew what was verified before");
  command
      .add_option("--counters", options->counters,
                  "counted in steps of their own: default, none, or names of libpfm4")
      .show_default();
  command.add_option("--bind", options->threads.bind,
                     "holds threads on cores, hardware threads or NUMA nodes: cores, threads, "
                     "numa, none; default: as the environment says");
  command
      .add_option("--profile", options->profiles,
                  "where the step goes, by kind of work and direction, from steps that are watched "
                  "stage by stage after the timed ones; \"--profile paper\": the white paper's "
                  "thread settings, translated for libgomp")
      .optional_values();
  command.add_flag("--redact", options->sweep.redact, "no host name and no folders in the report");
  const Option against =
      command.add_option("--against", options->sweep.against,
                         "another build of voxmark (or a script that sets LD_LIBRARY_PATH and "
                         "execs one), measured process by process beside this one");
  command
      .add_option("--against-backend", options->sweep.against_backend,
                  "another backend (exec:./base), measured process by process beside --backend")
      .excludes({against});
  command.add_flag("--no-limits", options->no_limits,
                   "do not measure the machine's limits first (1.5 s per number of threads)");
  command.set_action([options] { return run(*options); });
}

}  // namespace voxmark

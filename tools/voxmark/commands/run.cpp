// voxmark run: measures a suite, or what the flags say, and ends in a report and a table.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "backends/registry/registry.h"
#include "base/error.h"
#include "base/number_text.h"
#include "base/tell.h"
#include "benches/machine/environment.h"
#include "benches/machine/loaded_libraries.h"
#include "benches/machine/topology.h"
#include "benches/probes/counters.h"
#include "benches/process/interrupt.h"
#include "benches/protocol/isa.h"
#include "benches/protocol/peers.h"
#include "benches/run/interleave.h"
#include "benches/run/other_build.h"
#include "benches/run/progress.h"
#include "benches/run/sweep.h"
#include "benches/suite/suite.h"
#include "benches/suite/value_list.h"
#include "benches/threads/thread_settings.h"
#include "results/tables/case_table.h"
#include "results/tables/noise.h"
#include "results/tables/step_profile.h"
#include "results/tables/summary.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"
#include "tools/voxmark/terminal.h"

namespace voxmark {
namespace {

struct Options {
  std::string suite;
  std::map<std::string, std::optional<std::string>> flags;  // by key of a suite
  std::string out = "voxmark-report.json";
  bool dry_run = false;
  bool resume = false;
  bool overwrite = false;
  bool no_cache = false;
  bool no_limits = false;
  std::string counters = "default";
  std::string against;
  std::string against_backend;
  ThreadSettings threads;
  std::vector<std::string> profiles;  // "stages" or "": where the step goes; "paper": settings
  bool redact = false;
};

// Keys that take a list.
const std::set<std::string> kLists = {"backend", "image",   "batch",     "channels", "classes",
                                      "filters", "threads", "precision", "data",     "isa"};

// Those whose values may be names of files, which may have commas.
const std::set<std::string> kFiles = {"backend", "data"};

const std::map<std::string, std::string> kHelp = {
    {"backend",
     "names, with commas (voxmark list backends), or exec:PROGRAM; default: "
     "eigen-tensor,eigen,onednn-direct,onednn"},
    {"image", "extents, multiples of 16: 64 or 96x96x64, with commas"},
    {"batch", "images per step, with commas"},
    {"channels", "input channels, with commas"},
    {"classes", "labels besides background, with commas"},
    {"filters", "of the finest level, with commas"},
    {"threads", "with commas; default: all CPUs of this process, or OMP_NUM_THREADS"},
    {"precision", "fp32, fp64 or bf16, with commas"},
    {"data", "synthetic, phantom or a data set's folder, with commas"},
    {"follow_links", kFollowLinksHelp},
    {"affine_tolerance", kAffineToleranceHelp},
    {"isa", "avx, avx2, avx512: what kernels may use, with commas (ci/isa builds ours)"},
    {"seed", "of weights, batches and splits"},
    {"steps", "timed steps per process"},
    {"warmup", "steps before them"},
    {"repeats", "processes per case, interleaved over the backends"},
    {"precision_target", "more processes until the median is known to this fraction: 0.02"},
    {"time_budget", "seconds after which no process starts beyond --repeats; alone: to be filled"},
    {"max_repeats", "processes per case that these two may reach"},
    {"order_seed", "of the order in which cases are interleaved"},
    {"taint_repeats", "how often a process that was disturbed is run again, at most"},
    {"memory_limit",
     "8GiB,500MB: tensors are computed again to fit; sweep: from most memory to least"},
    {"case_budget", "a case predicted to take more seconds is skipped"},
    {"timeout", "seconds without a message after which a case is ended"},
    {"baseline", "backend that speed-ups refer to; default: eigen-tensor, else the first"}};

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
  for (const auto& [key, text] : options.flags) {
    if (!text) {
      continue;
    }
    const std::string name = flag_name(key);
    if (kFiles.contains(key)) {
      set_key(suite, key, split_files(*text, name), name);
    } else if (kLists.contains(key)) {
      const std::vector<std::string> values = split_list(*text, name);
      const std::string warning = key == "image" ? one_image_meant(values) : "";
      if (!warning.empty()) tell(stderr, "warning: {}\n", warning);
      set_key(suite, key, values, name);
    } else {
      set_key(suite, key, {*text}, name);
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
std::string obstacle_of(const CaseSpec& spec) {
  if (const Isa* isa = find_isa(spec.isa)) {
    const std::string needed = is_external(spec) ? "" : isa_program(*isa, "/proc/self/exe");
    if (const auto missing = isa_missing(*isa, needed)) {
      return *missing;
    }
  }
  if (is_external(spec)) {
    const Peer* peer = find_peer(spec.backend);
    return peer != nullptr && !peer_command(*peer) ? kPeerNotInstalled : "";
  }
  return obstacle(find_backend(spec.backend), training_program(spec), compile_options(spec));
}

void print_cases(std::FILE* stream, const std::vector<CaseSpec>& cases, const Suite& suite,
                 const char* sides) {
  std::int64_t distinct = 0, skipped = 0;
  for (const CaseSpec& spec : cases) {
    if (spec.process == 0) {
      const std::string reason = obstacle_of(spec);
      ++(reason.empty() ? distinct : skipped);
      tell(stream, "  {} filters {} channels {} classes {} threads {} data {}{}\n", describe(spec),
           spec.network.filters, spec.network.input_channels, spec.network.classes, spec.threads,
           spec.data, reason.empty() ? "" : ": will be skipped, " + reason);
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
std::string processes_to_compare(const std::vector<CaseSpec>& cases, const Suite& suite) {
  const auto distinct = std::ranges::count_if(
      cases, [](const CaseSpec& spec) { return spec.process == 0 && obstacle_of(spec).empty(); });
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

RunFacts request_of(const Options& options, const Suite& suite, const std::string& baseline) {
  std::map<std::string, std::string> flags;
  for (const auto& [key, text] : options.flags) {
    if (text) {
      flags[key] = *text;
    }
  }
  RunFacts request;
  if (!options.suite.empty()) {
    request.suite = options.suite;
  }
  request.flags = std::move(flags);
  request.repeats = suite.repeats;
  request.order_seed = suite.order_seed;
  request.taint_repeats = suite.taint_repeats;
  request.baseline = baseline;
  if (!options.against_backend.empty()) {
    request.against_backend = options.against_backend;
  }
  return request;
}

// What stands beside this build and its backend: another build, or another backend; "" for none.
std::string other_side(const Options& options, const std::vector<CaseSpec>& cases, int cpus) {
  check_contenders(cases, options.against, options.against_backend);
  if (!options.against_backend.empty()) {
    check_before_start(with_backend(cases, options.against_backend), cpus);
  }
  return options.against.empty() ? options.against_backend : options.against;
}

void print_other_side(const Options& options, const SweepResult& result,
                      const std::vector<CaseSpec>& cases, const std::string& baseline) {
  const bool is_build = !options.against.empty();
  const std::vector<CaseSpec> own = is_build ? cases : with_backend(cases, options.against_backend);
  fmt::print("\n{}:\n{}", is_build ? options.against : options.against_backend,
             fitted(case_table(summarise(in_listed_order(result.against.records, own)),
                               is_build ? baseline : options.against_backend)));
  tell(stderr, "The verdict: voxmark compare {} {}{}\n", against_path(options.out), options.out,
       is_build ? "" : " --ignore backend");
}

// "; 3 processes were disturbed, 2 of them left out", or "".
std::string disturbed_text(std::span<const CaseSummary> cases) {
  int disturbed = 0, left_out = 0;
  for (const CaseSummary& own : cases) {
    disturbed += own.disturbed;
    left_out += own.left_out;
  }
  return disturbed == 0 ? ""
                        : fmt::format("; {} {} disturbed, {} of them left out", disturbed,
                                      disturbed == 1 ? "process was" : "processes were", left_out);
}

ExitCode run(const Options& options) {
  const Suite suite = suite_of(options);
  check_max_repeats(options, suite);
  const int cpus = allowed_cpus();
  const std::vector<CaseSpec> cases = expand(suite, told_default_threads(suite));
  const std::string baseline = baseline_of(suite, cases);
  for (const std::string& warning : check_before_start(cases, cpus)) {
    tell(stderr, "warning: {}\n", warning);
  }
  counter_groups(options.counters);
  ThreadSettings threads = thread_settings(options);
  const std::string other = other_side(options, cases, cpus);
  const char* sides = !options.against.empty() ? ", all of them by two builds"
                      : !other.empty()         ? ", all of them by two backends"
                                               : "";
  if (!options.resume && !options.dry_run) {
    check_new(options.out, !other.empty(), options.overwrite);
  }
  if (options.dry_run) {  // what a run finds wrong before its first case
    check_out(options.out);
    if (!options.against.empty()) {
      ReportHeader described;
      describe_other_build(options.against, described);
    }
    print_cases(stdout, cases, suite, sides);
    tell(stdout, "{}", processes_to_compare(cases, suite));
    return ExitCode::done;
  }
  print_cases(stderr, cases, suite, sides);
  threads.runtime = openmp_runtime();
  const Json machine = {{"cpu", {{"numa_nodes", topology().value("numa_nodes", Json()).size()}}},
                        {"variables", performance_variables()}};
  const auto warning = numa_warning(machine, threads);
  if (warning) {
    tell(stderr, "Warning: {}\n", *warning);
  }
  if (const std::string missing = missing_hardware_counters();
      options.counters != "none" && !missing.empty()) {
    tell(stderr, "No hardware counters: {}\n", missing);
  }

  SweepOptions sweep;
  sweep.cases = interleave(cases, suite.order_seed);
  sweep.stopping = suite.stopping;
  sweep.order_seed = suite.order_seed;
  sweep.runner.taint_repeats = suite.taint_repeats;
  sweep.out = options.out;
  sweep.resume = options.resume;
  sweep.measure_limits = !options.no_limits;
  sweep.against = options.against;
  sweep.against_backend = options.against_backend;
  sweep.redact = options.redact;
  if (options.no_cache) {
    sweep.cache_folder.clear();
  }
  sweep.runner.child.command = {"/proc/self/exe", "child", "--counters", options.counters};
  if (wants_stages(options)) {
    sweep.runner.child.command.insert(sweep.runner.child.command.end(),
                                      {"--watched-steps", kWatchedSteps});
  }
  sweep.runner.child.patience_seconds = suite.timeout_seconds;
  sweep.runner.case_budget_seconds = suite.case_budget_seconds;
  sweep.facts = request_of(options, suite, baseline);
  place_threads(threads, sweep);
  sweep.facts.thread_settings->warning = warning;
  catch_interrupts();
  Progress progress(stderr, cases.size() * (other.empty() ? 1 : 2));
  const SweepResult result = run_sweep(sweep, progress);

  const std::vector<Record> records = in_listed_order(result.report.records, cases);
  const std::vector<CaseSummary> summaries = summarise(records);
  fmt::print("{}", fitted(case_table(summaries, baseline)));
  if (wants_stages(options)) {
    fmt::print("\n{}", render_profiles(step_profiles(records)));
  }
  if (!other.empty()) {
    print_other_side(options, result, cases, baseline);
  }
  tell(stderr, "{} of {} in {}{}\n",
       counted(static_cast<std::int64_t>(result.report.records.size()), "record"), cases.size(),
       options.out, disturbed_text(summaries));
  return result.code;
}

}  // namespace

void add_run(Command program) {
  auto options = std::make_shared<Options>();
  Command command = program.add_command(
      "run",
      "Times training steps, each case verified first and in a process of its own.\n"
      "Example: voxmark run --backend eigen,onednn --image 32,64 --repeats 3 --out report.json");
  command.add_option("suite,--suite", options->suite,
                     "suite file (benches/suite/suite.schema.json)");
  for (const std::string& key : suite_keys()) {
    if (key == "follow_links") {
      command.add_flag(flag_name(key), options->flags[key], kHelp.at(key));
    } else {
      command.add_option(flag_name(key), options->flags[key], kHelp.at(key));
    }
  }
  command.add_option("--out", options->out, "report").show_default();
  command.add_flag("--dry-run", options->dry_run, "list and count the cases, and stop");
  const Option resume =
      command.add_flag("--resume", options->resume,
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
  command.add_flag("--redact", options->redact, "no host name and no folders in the report");
  const Option against =
      command.add_option("--against", options->against,
                         "another build of voxmark (or a script that sets LD_LIBRARY_PATH and "
                         "execs one), measured process by process beside this one");
  command
      .add_option("--against-backend", options->against_backend,
                  "another backend (exec:./base), measured process by process beside --backend")
      .excludes({against});
  command.add_flag("--no-limits", options->no_limits,
                   "do not measure the machine's limits first (1.5 s per number of threads)");
  command.set_action([options] { return run(*options); });
}

}  // namespace voxmark

// voxmark noise: the same case against itself, to know what a comparison on this machine can find.
#include "results/tables/noise.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>

#include "base/error.h"
#include "base/number_text.h"
#include "base/own_program.h"
#include "benches/machine/environment.h"
#include "benches/machine/loaded_libraries.h"
#include "benches/process/interrupt.h"
#include "benches/run/interleave.h"
#include "benches/run/memory_sweep.h"
#include "benches/run/progress.h"
#include "benches/run/sweep.h"
#include "benches/suite/suite.h"
#include "results/tables/deciding.h"
#include "results/tables/summary.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"

namespace voxmark {
namespace {

struct Options {
  std::string backend = "onednn";
  std::string image = "64";
  std::string batch = "1";
  std::string filters = "16";
  std::string threads;
  std::string steps = "5";
  std::string warmup = "2";
  int processes = 20;
  std::string out = "voxmark-noise.json";
  bool overwrite = false;
  bool json = false;
  bool redact = false;
  ThreadSettings placement;
};

// Half as many with another seed: other values, the same work.
std::vector<CaseSpec> noise_cases(const Options& options) {
  Suite suite;
  for (const auto& [key, text] : {std::pair{"backend", options.backend},
                                  {"image", options.image},
                                  {"batch", options.batch},
                                  {"filters", options.filters},
                                  {"steps", options.steps},
                                  {"warmup", options.warmup},
                                  {"threads", options.threads}}) {
    if (!text.empty()) {
      set_key(suite, key, {text}, fmt::format("--{}", key));
    }
  }
  suite.repeats = options.processes;
  const int threads = told_default_threads(suite);
  std::vector<CaseSpec> cases = expand(suite, threads, limits_to_sweep);
  set_key(suite, "seed", {"2"}, "--seed");
  suite.repeats = options.processes / 2;
  const std::vector<CaseSpec> others = expand(suite, threads, limits_to_sweep);
  cases.insert(cases.end(), others.begin(), others.end());
  return cases;
}

// Those of that seed that were measured.
std::vector<const Record*> measured(const Report& report, std::uint64_t seed) {
  std::vector<const Record*> records;
  for (const Record& record : report.records) {
    if (publishes_times(record.outcome) && record.spec.at("seed") == seed) {
      records.push_back(&record);
    }
  }
  return records;
}

// Step seconds of each process.
std::vector<std::vector<double>> seconds_of(std::span<const Record* const> records) {
  std::vector<std::vector<double>> processes;
  for (const Record* record : records) {
    std::vector<double> seconds;
    for (const SampleRecord& sample : record->samples) {
      if (!sample.warmup && sample.times) {
        seconds.push_back(sample.times->forward_backward_seconds);
      }
    }
    if (!seconds.empty()) {
      processes.push_back(std::move(seconds));
    }
  }
  return processes;
}

double median_of_medians(const std::vector<std::vector<double>>& processes) {
  std::vector<double> medians;
  medians.reserve(processes.size());
  for (const std::vector<double>& steps : processes) {
    medians.push_back(spread_of(steps).median);
  }
  return spread_of(std::move(medians)).median;
}

Json effects(double between_processes) {
  Json by_count = Json::object();
  for (const int count : {3, 5, 7, 10, 15, 20, 30}) {
    const auto effect = minimum_detectable_effect(between_processes, count);
    by_count[std::to_string(count)] = effect ? Json(*effect) : Json();
  }
  return by_count;
}

void print_text(const Json& answer) {
  const auto percent = [](const Json& fraction) {
    return fmt::format("{:.2f}%", 100 * fraction.get<double>());
  };
  fmt::print("{} processes of {}, forward and backward {:.4g} s\n",
             answer.at("processes").get<std::size_t>(), answer.at("case").get<std::string>(),
             answer.at("median_seconds").get<double>());
  fmt::print("within a process {}, between processes {} (standard deviations)\n",
             percent(answer.at("within_processes")), percent(answer.at("between_processes")));
  fmt::print("noise floor {}: the case against itself, half of the processes on each side\n",
             percent(answer.at("noise_floor")));
  fmt::print("another seed changes the time by {}{}\n", percent(answer.at("seed_effect")),
             answer.at("seed_effect_within_noise") == true ? ", which is within the noise" : "");
  fmt::print("{}, {} of them left out\n",
             disturbed_count(answer.at("tainted_processes").get<int>(),
                             answer.at("all_processes").get<int>()),
             answer.at("left_out_processes").get<int>());
  fmt::print("least slowdown found with 95% power, by processes per side:\n");
  for (const auto& item : answer.at("minimum_detectable_effect").items()) {
    fmt::print(
        "  {:>2}: {}\n", item.key(),
        item.value().is_null() ? "none: too few for 1% false alarms" : percent(item.value()));
  }
}

ExitCode noise(const Options& options) {
  constexpr int kLeastProcesses = 4;
  if (options.processes < kLeastProcesses) {
    throw_bad_input("--processes {}: expected at least {}", options.processes, kLeastProcesses);
  }
  const std::vector<CaseSpec> cases = noise_cases(options);
  check_before_start(cases, allowed_cpus());
  ThreadSettings placement = options.placement;
  check(placement);
  placement.runtime = openmp_runtime();
  SweepOptions sweep;
  sweep.cases = interleave(cases, sweep.order_seed);
  sweep.out = options.out;
  check_new(sweep.out, false, options.overwrite);
  sweep.runner.child.command = {own_program(), "child", "--counters", "none"};
  sweep.measure_limits = true;
  sweep.runner.taint_repeats = Suite{}.taint_repeats;  // as run measures
  sweep.redact = options.redact;
  sweep.facts.noise = true;
  place_threads(placement, sweep);
  catch_interrupts();
  Progress progress(stderr, cases.size());
  const SweepResult result = run_sweep(sweep, progress);

  const Deciding first = deciding(measured(result.report, 1));
  const Deciding second = deciding(measured(result.report, 2));
  const auto own = seconds_of(first.records);
  const auto other = seconds_of(second.records);
  if (own.size() < kLeastProcesses || other.empty()) {
    if (result.code == ExitCode::done) {
      throw_internal("noise: {} processes were measured, too few", own.size());
    }
    return result.code;
  }
  const NoiseFigures figures = noise_figures(own, sweep.order_seed);
  const double seed_effect = std::abs(median_of_medians(other) / median_of_medians(own) - 1);
  const Json answer = {{"case", describe(cases.front())},
                       {"processes", own.size()},
                       {"median_seconds", median_of_medians(own)},
                       {"within_processes", figures.within_processes},
                       {"between_processes", figures.between_processes},
                       {"noise_floor", figures.noise_floor},
                       {"seed_effect", seed_effect},
                       {"seed_effect_within_noise", seed_effect <= figures.noise_floor},
                       {"tainted_processes", first.disturbed + second.disturbed},
                       {"left_out_processes", first.left_out + second.left_out},
                       {"all_processes", result.report.records.size()},
                       {"minimum_detectable_effect", effects(figures.between_processes)}};
  if (options.json) {
    fmt::print("{}\n", dump_json(answer, 1));
  } else {
    print_text(answer);
  }
  return result.code;
}

}  // namespace

void add_noise(Command program) {
  auto options = std::make_shared<Options>();
  Command command = program.add_command(
      "noise",
      "Measures a case against itself: the noise floor here, and the least slowdown that a\n"
      "comparison finds by number of processes. Example: voxmark noise --image 32 --processes 20");
  command.add_option("--backend", options->backend, "one of voxmark list backends").show_default();
  command.add_option("--image", options->image, "64 or 96x96x64").show_default();
  command.add_option("--batch", options->batch, "images per step").show_default();
  command.add_option("--filters", options->filters, "of the finest level").show_default();
  command.add_option("--threads", options->threads,
                     "default: all CPUs of this process, or OMP_NUM_THREADS");
  command.add_option("--steps", options->steps, "timed steps per process").show_default();
  command.add_option("--warmup", options->warmup, "steps before them").show_default();
  command.add_option("--processes", options->processes, "and half as many with another seed")
      .show_default();
  command.add_option("--out", options->out, "report").show_default();
  command.add_flag("--overwrite", options->overwrite, "replace the report that is there");
  command.add_option("--bind", options->placement.bind,
                     "as voxmark run holds threads: cores, threads, numa, none");
  command.add_flag("--redact", options->redact, "no host name and no folders in the report");
  command.add_flag("--json", options->json, "as JSON");
  command.set_action([options] { return noise(*options); });
}

}  // namespace voxmark

// voxmark reproduce: runs what answers the white paper's claims, and says which of them hold here.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <tuple>

#include "base/atomic_file.h"
#include "base/number_text.h"
#include "base/overwrite.h"
#include "base/own_program.h"
#include "base/sha256.h"
#include "base/tell.h"
#include "benches/machine/environment.h"
#include "benches/process/interrupt.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/peers.h"
#include "benches/run/interleave.h"
#include "benches/run/memory_sweep.h"
#include "benches/run/progress.h"
#include "benches/run/sweep.h"
#include "benches/suite/suite.h"
#include "results/claims/answer.h"
#include "results/claims/claims.h"
#include "results/claims/claims_tables.h"
#include "results/journal.h"
#include "results/training_report.h"
#include "results/tricks_report.h"
#include "tools/voxmark/largest_image.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"
#include "tools/voxmark/terminal.h"
#include "workloads/network/cost.h"

namespace voxmark {
namespace {

constexpr double kQuickSeconds = 600;
constexpr double kFullSeconds = 5400;

struct Options {
  bool quick = false;
  bool json = false;
  bool details = false;
  bool redact = false;
  bool overwrite = false;
  double budget_seconds = 0;  // 0: quick's or the full run's
  std::string suite;          // "": the claims' own
  std::string report;         // judge this one, and run nothing
  std::string training;       // of a training run; "": none
  std::string tricks;         // of voxmark tricks; "": none
  std::string out;            // "": by what is run
  std::string markdown;
};

// The paper's model, counted.
Json model_facts() {
  const ParameterCount count = count_parameters(training_program(CaseSpec{}));
  return {{"parameters", count.total()},
          {"trainable_parameters", count.trainable},
          {"moving_statistics", count.moving_statistics}};
}

Suite suite_of(const Options& options) {
  if (!options.suite.empty()) {
    return read_suite(options.suite);
  }
  const std::string name = options.quick ? "whitepaper_quick.json" : "whitepaper_full.json";
  return suite_from_json(parse_json(whitepaper_suite_text(options.quick), name), name);
}

std::string out_of(const Options& options) {
  return !options.out.empty() ? options.out
         : options.quick      ? "voxmark-reproduce-quick.json"
                              : "voxmark-reproduce.json";
}

// The paper's pair at one size, whose ratio is the answer: all of its processes come first. Then,
// in each round, smaller images before larger ones: what they take tells whether those fit, in
// memory and time. By chance among backends.
std::vector<CaseSpec> in_order(const Suite& suite, const Json& question,
                               const std::vector<CaseSpec>& cases) {
  constexpr Dims kFirst{64, 64, 64};
  const auto is_first = [&](const CaseSpec& spec) {
    const bool is_of_pair = spec.backend == question.at("baseline").get_ref<const std::string&>() ||
                            spec.backend == question.at("contender").get_ref<const std::string&>();
    return is_of_pair && spec.image == kFirst && spec.batch == 1 && spec.isa.empty() &&
           spec.precision == Precision::fp32;
  };
  std::vector<CaseSpec> order = interleave(cases, suite.order_seed);
  std::ranges::stable_sort(order, {}, [&](const CaseSpec& spec) {
    return std::tuple(!is_first(spec), spec.process, spec.batch * spec.image.voxels());
  });
  return order;
}

// The backends whose seconds per image the claims ask for, where the suite has them at all.
std::vector<CaseSpec> largest_of(const Claims& claims, const std::vector<CaseSpec>& cases,
                                 const Report& report) {
  CaseSpec like;
  like.threads = cases.front().threads;
  like.steps = 2;
  like.warmup = 1;
  std::vector<std::string> backends;
  for (const Json& claim : claims.claims) {
    for (const Json& asked : claim.at("kind") == "seconds" ? claim.at("backends") : Json::array()) {
      const auto name = asked.get<std::string>();  // a text == Json is ambiguous with g++ 14
      if (std::ranges::any_of(cases, [&](const CaseSpec& spec) { return spec.backend == name; })) {
        backends.push_back(name);
      }
    }
  }
  return largest_images(backends, like, report, memory_room().bytes);
}

// A stopped run goes on from its journal, a finished one from its report, whatever their budgets
// were: what they left out is run. A run of other cases is another one.
bool goes_on(const Options& options, const std::string& cases_sha256) {
  const std::string out = out_of(options);
  const bool is_stopped = std::filesystem::exists(journal_path(out));
  if (options.overwrite || (!is_stopped && !holds_something(out))) {
    return false;
  }
  const std::string path = is_stopped ? journal_path(out) : out;
  const Report report = is_stopped ? read_journal(path).report : read_report(path);
  const auto& found = report.header.facts.cases_sha256;
  if (found != cases_sha256) {
    throw_bad_input(
        "--out {}: {} is of a run of other cases; expected {}, found {}; another --out, or "
        "--overwrite replaces it",
        out, path, cases_sha256.substr(0, 12), found ? found->substr(0, 12) : "none");
  }
  return true;
}

SweepResult measure(const Options& options, const Claims& claims) {
  const Suite suite = suite_of(options);
  const double budget = options.budget_seconds > 0 ? options.budget_seconds
                        : options.quick            ? kQuickSeconds
                                                   : kFullSeconds;
  SweepOptions sweep;
  sweep.cases = in_order(suite, question_of(claims),
                         expand(suite, told_default_threads(suite), limits_to_sweep));
  check_before_start(sweep.cases, allowed_cpus());
  Json cases = Json::array();
  for (const CaseSpec& spec : sweep.cases) {
    cases.push_back(to_json(spec));
  }
  const std::string cases_sha256 = sha256_hex(dump_json(cases));
  sweep.out = out_of(options);
  sweep.resume = goes_on(options, cases_sha256);
  sweep.measure_limits = true;
  sweep.redact = options.redact;
  sweep.follow_up = [&](const Report& report) {
    const bool is_time_over = std::ranges::any_of(report.records, [](const Record& record) {
      return record.facts.beyond_budget.value_or(false);
    });
    return is_time_over ? std::vector<CaseSpec>() : largest_of(claims, sweep.cases, report);
  };
  sweep.runner.child.command = {own_program(), "child"};
  sweep.runner.child.patience_seconds = suite.timeout_seconds;
  sweep.runner.case_budget_seconds = suite.case_budget_seconds;
  sweep.runner.run_budget_seconds = budget;
  sweep.runner.processes_per_case = std::min(suite.repeats, kFewestProcesses);
  sweep.runner.taint_repeats = suite.taint_repeats;
  sweep.facts.reproduce = !options.suite.empty() ? "suite" : options.quick ? "quick" : "full";
  sweep.facts.cases_sha256 = cases_sha256;
  sweep.facts.budget_seconds = budget;
  sweep.facts.repeats = suite.repeats;
  sweep.facts.taint_repeats = suite.taint_repeats;
  sweep.facts.baseline = suite.baseline;
  for (const Peer& peer : peers()) {
    const bool is_asked_for = std::ranges::any_of(
        sweep.cases, [&](const CaseSpec& spec) { return spec.backend == peer.name; });
    if (is_asked_for && !peer_command(peer)) {
      tell(stderr, "{}: {}\n", peer.name, kPeerNotInstalled);
    }
  }
  tell(stderr,
       "{} runs and more if there is time, none begun after {:.0f} min; stop at any time, and "
       "the same command goes on\n",
       sweep.cases.size(), budget / 60);
  catch_interrupts();
  Progress progress(stderr, sweep.cases.size());
  progress.leave_out_skipped();  // the answer says what was
  return run_sweep(sweep, progress);
}

double wall_seconds(const Report& report) {
  double seconds = 0;
  for (const Record& record : report.records) {
    seconds += record.facts.wall_seconds.value_or(0);
  }
  return seconds;
}

ExitCode reproduce(const Options& options) {
  const Claims claims = whitepaper_claims();
  const bool is_new = options.report.empty();
  Evidence evidence{model_facts(), {}, {}};
  if (!options.training.empty()) {
    evidence.training = read_training_report(options.training);
  }
  if (!options.tricks.empty()) {
    evidence.tricks = read_tricks(options.tricks);
  }
  if (!options.markdown.empty()) {
    const AtomicFile can_be_written(options.markdown);  // asked before hours are spent
  }
  SweepResult result;
  if (is_new) {
    result = measure(options, claims);
    if (result.code == ExitCode::interrupted || result.code == ExitCode::terminated) {
      return result.code;
    }
  } else {
    result.report = read_report(options.report);
  }
  const std::vector<Finding> findings = judge(claims, result.report, evidence);
  const Answer answer = answer_of(claims, result.report, findings);
  if (is_new) {
    result.report.header.facts.answer = to_json(answer);
    result.report.header.facts.findings = to_json(findings);
    result.report.header.facts.wall_seconds = wall_seconds(result.report);
    write_report(out_of(options), result.report);
    tell(stderr, "{} in {}, measured in {:.1f} min\n",
         counted(static_cast<std::int64_t>(result.report.records.size()), "record"),
         out_of(options), wall_seconds(result.report) / 60);
  }
  const auto details = [&](const std::function<std::string(const Table&)>& render) {
    return render_details(claims, result.report, findings, render);
  };
  if (options.json) {
    const Json json = {
        {"source", claims.source}, {"answer", to_json(answer)}, {"findings", to_json(findings)}};
    fmt::print("{}\n", dump_json(json, 1));
  } else {
    fmt::print("{}", render_text(answer, terminal_columns().value_or(0)));
    if (options.details) {
      fmt::print("\n{}", details(fitted));
    }
  }
  if (!options.markdown.empty()) {
    AtomicFile file(options.markdown);
    file.write(render_markdown(answer) + "\n" +
               details([](const Table& table) { return render_markdown(table); }));
    file.commit();
  }
  // What went wrong while measuring outweighs an answer; that nothing could be measured is one.
  return result.code == ExitCode::done || result.code == ExitCode::cannot_here ? exit_code(findings)
                                                                               : result.code;
}

}  // namespace

void add_reproduce(Command program) {
  auto options = std::make_shared<Options>();
  Command command = program.add_command(
      "reproduce", "Runs what answers the white paper's claims, and says which of them hold here");
  const Option quick =
      command.add_flag("--quick", options->quick, "small images, in about ten minutes");
  const Option budget =
      command
          .add_option("--budget", options->budget_seconds,
                      "seconds from now after which no run starts (600 with --quick, else 5400)")
          .check([](const std::string& text) {
            const double seconds = std::strtod(text.c_str(), nullptr);
            return std::isfinite(seconds) && seconds > 0 ? "" : text + ", expected seconds above 0";
          });
  const Option suite =
      command.add_option("--suite", options->suite, "measure this suite file instead");
  command.add_option(
      "--training", options->training,
      "training.json of voxmark train --preset whitepaper, for the paper's accuracy");
  command.add_option("--tricks", options->tricks,
                     "tricks.json of voxmark tricks, for what the paper says of them");
  const Option out = command.add_option(
      "--out", options->out,
      "report (voxmark-reproduce.json, with --quick voxmark-reproduce-quick.json)");
  const Option overwrite =
      command.add_flag("--overwrite", options->overwrite,
                       "measure anew; without it the report or journal that is there goes on");
  command.add_option("--markdown", options->markdown, "write the tables to this file too");
  command.add_flag("--json", options->json, "print answer and findings as JSON");
  command.add_flag("--details", options->details, "every backend's figures below the answer");
  const Option redact =
      command.add_flag("--redact", options->redact, "no host name and no folders in the report");
  command.add_option("--report", options->report, "judge this report, and run nothing")
      .excludes({quick, budget, suite, out, redact, overwrite});
  command.set_footer(
      "Exit code 0: the speed-up was compared; 1: there is none; 3: it was not tested;\n"
      "4: it is open: more processes would tell; 70: a case crashed or failed.\n"
      "TensorFlow and PyTorch come with ci/peers, other instruction sets with ci/isa.\n"
      "Example: ci/peers tensorflow && voxmark reproduce --quick");
  command.set_action([options] { return reproduce(*options); });
}

}  // namespace voxmark

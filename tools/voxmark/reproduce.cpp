// voxmark reproduce: runs what answers the white paper's claims, and says which of them hold here.
#include <filesystem>
#include <memory>
#include <string>

#include "base/atomic_file.h"
#include "benches/environment.h"
#include "benches/interleave.h"
#include "benches/interrupt.h"
#include "benches/peers.h"
#include "benches/progress.h"
#include "benches/suite.h"
#include "benches/sweep.h"
#include "results/claims.h"
#include "tools/voxmark/subcommand.h"
#include "workloads/cost.h"

namespace voxmark {
namespace {

struct Options {
  bool quick = false;
  bool resume = false;
  std::string suite;   // "": the claims' own
  std::string report;  // judge this one, and run nothing
  std::string out = "voxmark-reproduce.json";
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
  return suite_from_json(parse_json(std::string(whitepaper_suite_text(options.quick)), name), name);
}

SweepResult measure(const Options& options) {
  const Suite suite = suite_of(options);
  const int cpus = allowed_cpus();
  SweepOptions sweep;
  sweep.cases = interleave(expand(suite, cpus), suite.order_seed);
  check_before_start(sweep.cases, cpus);
  sweep.out = options.out;
  // A run that was stopped goes on; one that was not leaves no journal.
  sweep.resume = options.resume || std::filesystem::exists(journal_path(options.out));
  sweep.runner.child.command = {"/proc/self/exe", "child"};
  sweep.runner.child.patience_seconds = suite.timeout_seconds;
  sweep.runner.case_budget_seconds = suite.case_budget_seconds;
  sweep.details = {{"reproduce", options.quick ? "quick" : "full"},
                   {"repeats", suite.repeats},
                   {"baseline", suite.baseline}};
  for (const Peer& peer : peers()) {
    if (!peer_command(peer)) {
      fmt::print(stderr, "{}: {}\n", peer.name, kPeerNotInstalled);
    }
  }
  fmt::print(stderr, "{} runs; stop at any time, and the same command goes on\n",
             sweep.cases.size());
  catch_interrupts();
  Progress progress(stderr, sweep.cases.size());
  return run_sweep(sweep, progress);
}

// For people to paste.
std::string markdown(const Claims& claims, const Report& report,
                     std::span<const Finding> findings) {
  const Json& cpu = report.header.environment.value("cpu", Json::object());
  const Json model = cpu.is_object() ? cpu.value("model_name", Json()) : Json();
  std::string text = fmt::format(
      "{}\n\nMeasured {} on {}, voxmark {}.\n\n{}\n", claims.source, report.header.created,
      model.is_string() ? model.get<std::string>() : "an unknown CPU",
      report.header.voxmark.value("version", ""), render_markdown(findings_table(findings)));
  text += fmt::format("\nWhere the factor comes from:\n\n{}\n",
                      render_markdown(factors_table(claims, report)));
  text += fmt::format("\nWhat a step costs:\n\n{}\n", render_markdown(cost_table(report)));
  text += fmt::format("\nMemory over image sizes, and the paper's table 1:\n\n{}",
                      render_markdown(memory_table(memory_lines(report))));
  return text;
}

ExitCode reproduce(const Options& options) {
  SweepResult result;
  if (options.report.empty()) {
    result = measure(options);
    if (result.code == ExitCode::interrupted || result.code == ExitCode::terminated) {
      return result.code;
    }
  } else {
    result.report = read_report(options.report);
  }
  const Claims claims = whitepaper_claims();
  const std::vector<Finding> findings = judge(claims, result.report, model_facts());
  const std::string text = markdown(claims, result.report, findings);
  fmt::print("{}", text);
  if (!options.markdown.empty()) {
    AtomicFile file(options.markdown);
    file.write(text);
    file.commit();
  }
  return exit_code(findings);
}

}  // namespace

void add_reproduce(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "reproduce", "Runs what answers the white paper's claims, and says which of them hold here");
  command->add_flag("--quick", options->quick, "small images, within ten minutes");
  command->add_flag("--resume", options->resume, "go on where a stopped run with this --out ended");
  command->add_option("--suite", options->suite, "measure this suite file instead");
  command->add_option("--report", options->report, "judge this report, and run nothing");
  command->add_option("--out", options->out, "report")->capture_default_str();
  command->add_option("--markdown", options->markdown, "write the tables to this file too");
  command->footer(
      "Exit code 0: answered; 1: a claim is refuted; 3: none could be compared; 4: one is open.\n"
      "TensorFlow and PyTorch come with ci/peers.\n"
      "Example: ci/peers tensorflow && voxmark reproduce --quick");
  command->callback([&action, options] { action = [options] { return reproduce(*options); }; });
}

}  // namespace voxmark

// voxmark doctor: what on this machine spoils a measurement, and what mends it.
#include "benches/machine/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "benches/machine/environment.h"
#include "results/tables/table.h"
#include "tools/voxmark/rank_doctor.h"
#include "tools/voxmark/subcommand.h"

namespace voxmark {
namespace {

constexpr double kWatchedSeconds = 1;

struct Options {
  bool json = false;
  int ranks = 0;    // 0: the machine is asked for
  int threads = 0;  // of each; 0: as many as there are CPUs for
  RankFlags rank_flags;
};

Json to_json(const Diagnosis& finding) {
  return {{"subject", finding.subject},
          {"health", to_string(finding.health)},
          {"found", finding.found},
          {"effect", finding.effect},
          {"remedy", finding.remedy}};
}

ExitCode doctor(bool json) {
  const std::vector<Diagnosis> findings =
      diagnose(probe_environment(), observe_situation(kWatchedSeconds));
  const bool spoilt = std::ranges::any_of(
      findings, [](const Diagnosis& finding) { return finding.health == Health::spoils; });
  if (json) {
    Json all = Json::array();
    for (const Diagnosis& finding : findings) {
      all.push_back(to_json(finding));
    }
    fmt::print("{}\n", dump_json({{"findings", std::move(all)}}, 1));
  } else {
    Table table{{{"", Align::left}, {"", Align::left}, {"found", Align::left}}, {}};
    for (const Diagnosis& finding : findings) {
      table.rows.push_back({to_string(finding.health), finding.subject, finding.found});
    }
    fmt::print("{}", render_text(table));
    for (const Diagnosis& finding : findings) {
      if (finding.health == Health::spoils || finding.health == Health::outside) {
        fmt::print("\n{}: {}\n  {}\n", finding.subject, finding.effect, finding.remedy);
      }
    }
    if (std::ranges::any_of(
            findings, [](const Diagnosis& finding) { return finding.health == Health::outside; })) {
      fmt::print("\noutside: nothing in here can mend it, so that it does not count\n");
    }
  }
  return spoilt ? ExitCode::answer_is_no : ExitCode::done;
}

ExitCode doctor_of_ranks(const Options& options) {
  const RankDiagnosis diagnosis =
      diagnose_ranks(options.rank_flags, options.ranks, options.threads);
  const bool is_good = diagnosis.finding.health == Health::good;
  if (options.json) {
    fmt::print("{}\n", dump_json({{"findings", Json::array({to_json(diagnosis.finding)})},
                                  {"ranks", diagnosis.ranks}},
                                 1));
  } else {
    fmt::print("{}{}\n", render_ranks(diagnosis.ranks),
               is_good ? diagnosis.finding.found + ": they can run" : diagnosis.finding.remedy);
  }
  return is_good ? ExitCode::done : ExitCode::answer_is_no;
}

ExitCode doctor(const Options& options) {
  if (options.ranks > 0) {
    return doctor_of_ranks(options);
  }
  refuse_rank_flags(options.rank_flags);
  return doctor(options.json);
}

}  // namespace

void add_doctor(Command program) {
  auto options = std::make_shared<Options>();
  Command command = program.add_command(
      "doctor",
      "Lists what on this machine spoils a measurement, with the command that mends each.\n"
      "With --ranks: whether so many ranks can compute together, as voxmark run would start them.\n"
      "Exit code 1 when something does that can be mended from here, or the ranks cannot run.\n"
      "Example: voxmark doctor\n"
      "         voxmark doctor --ranks 4 --hosts hosts.txt --threads 8");
  command.add_flag("--json", options->json, "as JSON");
  command
      .add_option(
          "--ranks", options->ranks,
          "asks so many ranks, before anything is timed: host, CPUs of threads, free memory, "
          "build, libraries")
      .in_range(1, 65536);
  command.add_option("--threads", options->threads, "of each rank; default: a share of the CPUs")
      .in_range(1, 65536);
  add_rank_options(command, options->rank_flags);
  command.set_action([options] { return doctor(*options); });
}

}  // namespace voxmark

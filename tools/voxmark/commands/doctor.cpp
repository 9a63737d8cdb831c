// voxmark doctor: what on this machine spoils a measurement, and what mends it.
#include "benches/machine/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "benches/machine/environment.h"
#include "results/tables/table.h"
#include "tools/voxmark/subcommand.h"

namespace voxmark {
namespace {

constexpr double kWatchedSeconds = 1;

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

}  // namespace

void add_doctor(Command program) {
  auto json = std::make_shared<bool>(false);
  Command command = program.add_command(
      "doctor",
      "Lists what on this machine spoils a measurement, with the command that mends each.\n"
      "Exit code 1 when something does that can be mended from here. Example: voxmark doctor");
  command.add_flag("--json", *json, "as JSON");
  command.set_action([json] { return doctor(*json); });
}

}  // namespace voxmark

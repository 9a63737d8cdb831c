// voxmark validate: whether a report is one, and whether its figures agree with each other.
#include <memory>

#include "benches/report_check.h"
#include "results/report.h"
#include "tools/voxmark/subcommand.h"

namespace voxmark {
namespace {

ExitCode validate(const std::string& path) {
  const Report report = read_report(path);
  const std::vector<std::string> faults = inconsistencies(report);
  for (const std::string& fault : faults) {
    fmt::print("{}\n", fault);
  }
  if (faults.empty()) {
    fmt::print("{}: valid, {} records\n", path, report.records.size());
  }
  return faults.empty() ? ExitCode::done : ExitCode::answer_is_no;
}

}  // namespace

void add_validate(CLI::App& app, Action& action) {
  auto path = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand(
      "validate",
      "Checks a report against its schema (exit 64) and its own figures (exit 1)."
      "\nExample: voxmark validate report.json");
  command->add_option("report", *path, "report file")->required();
  command->callback([&action, path] { action = [path] { return validate(*path); }; });
}

}  // namespace voxmark

// voxmark validate: whether reports are reports, and whether their figures agree with each other.
#include <memory>
#include <string>
#include <vector>

#include "base/number_text.h"
#include "benches/exchange/report_check.h"
#include "results/report.h"
#include "tools/voxmark/subcommand.h"

namespace voxmark {
namespace {

// Prints each fault with the file's name.
ExitCode validate(const std::vector<std::string>& paths) {
  ExitCode code = ExitCode::done;
  for (const std::string& path : paths) {
    const Report report = read_report(path);
    const std::vector<std::string> faults = inconsistencies(report);
    for (const std::string& fault : faults) {
      fmt::print("{}: {}\n", path, fault);
    }
    if (faults.empty()) {
      fmt::print("{}: valid, {}\n", path,
                 counted(static_cast<std::int64_t>(report.records.size()), "record"));
    } else {
      code = ExitCode::answer_is_no;
    }
  }
  return code;
}

}  // namespace

void add_validate(Command program) {
  auto paths = std::make_shared<std::vector<std::string>>();
  Command command = program.add_command(
      "validate",
      "Checks reports against their schema (exit 64) and their own figures (exit 1)."
      "\nExample: voxmark validate report.json");
  command.add_option("report", *paths, "report files").required();
  command.set_action([paths] { return validate(*paths); });
}

}  // namespace voxmark

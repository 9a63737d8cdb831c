#include "benches/run/other_build.h"

#include <algorithm>

#include "base/error.h"
#include "base/sha256.h"
#include "benches/process/child_process.h"
#include "benches/protocol/contender.h"
#include "benches/protocol/isa.h"

namespace voxmark {
namespace {

// All lines that a program prints; none when it prints none and exits, as one does that is not
// asked what it understands.
std::vector<std::string> lines_of(const std::vector<std::string>& command) {
  constexpr double kPatienceSeconds = 60;
  ChildProcess child(command, {});
  child.close_input();
  std::vector<std::string> lines;
  std::string line;
  while (child.read_line(line, kPatienceSeconds) == ChildProcess::Read::line) {
    lines.push_back(line);
  }
  return lines;
}

std::string first_line_of(const std::vector<std::string>& command) {
  const std::vector<std::string> lines = lines_of(command);
  return lines.empty() ? "" : lines.front();
}

}  // namespace

void describe_other_build(const std::string& program, ReportHeader& header) {
  const std::string facts = first_line_of({program, "sysinfo", "--json"});
  if (!facts.empty()) {
    const Json json = parse_json(facts, program + " sysinfo");
    header.voxmark = json.at("voxmark");
    header.environment = json.at("environment");
    return;
  }
  const std::string version = first_line_of({program, "--version"});
  constexpr std::string_view kOfVersions =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+-";
  if (version.empty() || version.front() < '0' || version.front() > '9' ||
      version.find_first_not_of(kOfVersions) != std::string::npos) {
    throw_bad_input("--against {}: does not answer --version as voxmark does", program);
  }
  header.voxmark = {{"version", version},
                    {"commit", nullptr},
                    {"dirty", nullptr},
                    {"binary_sha256", sha256_file(program)},
                    {"reason", "this build has no sysinfo"}};
}

std::vector<std::string> other_child_command(const std::string& program,
                                             const std::vector<std::string>& own) {
  std::vector<std::string> command = own;
  command.front() = program;
  const auto counters = std::ranges::find(command, "--counters");
  if (counters == command.end()) {
    return command;
  }
  const std::vector<std::string> help = lines_of({program, "child", "--help"});
  const bool known = std::ranges::any_of(
      help, [](const std::string& line) { return line.find("--counters") != std::string::npos; });
  if (!known) {
    command.erase(counters, counters + 2);
  }
  return command;
}

Json isa_programs(const std::vector<CaseSpec>& cases, const std::string& program, const Json& own) {
  Json programs = Json::object();
  for (const CaseSpec& spec : cases) {
    const Isa* isa = find_isa(spec.isa);
    if (isa == nullptr || !is_of_build(spec.backend) || programs.contains(isa->name)) {
      continue;
    }
    const std::string other = isa_program(*isa, program);
    if (isa_missing(*isa, other)) {
      continue;
    }
    const std::string facts = first_line_of({other, "sysinfo", "--json"});
    const Json found = facts.empty() ? Json::object() : parse_json(facts, other).at("voxmark");
    for (const char* key : {"version", "commit", "dirty"}) {
      if (found.value(key, Json()) != own.at(key)) {
        throw_bad_input("isa {}: {}: {} is {}, this program's is {}; ci/isa builds it anew",
                        isa->name, other, key, dump_json(found.value(key, Json())),
                        dump_json(own.at(key)));
      }
    }
    programs[isa->name] = found;
  }
  return programs;
}

}  // namespace voxmark

#include "benches/run/run_identity.h"

#include <fmt/ranges.h>

#include <filesystem>
#include <map>
#include <set>

#include "base/error.h"
#include "base/sha256.h"
#include "benches/exchange/outside_program.h"
#include "benches/protocol/contender.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

// Of every file that is named where a case's own program is started: the program, a script. Two of
// one name are told apart by their number.
void add_programs(Json& identity, const ChildProgram& child, const std::vector<CaseSpec>& cases) {
  OutsideProgram programs;
  std::map<std::string, std::string> keys;  // by path
  for (const CaseSpec& spec : cases) {
    if (is_this_program(spec)) {
      continue;  // the digest of this build tells it
    }
    const OutsideProgramFacts facts = programs.facts(contender_of(spec, child.command).command);
    for (const ProgramFile& file : *facts.files) {
      const std::string& path = *file.path;
      if (keys.contains(path)) {
        continue;
      }
      const std::string name = "program " + std::filesystem::path(path).filename().string();
      std::string key = name;
      for (int number = 2; identity.contains(key); ++number) {
        key = fmt::format("{} ({})", name, number);
      }
      keys[path] = key;
      identity[key] = *file.sha256;
    }
  }
}

// Of all that is to be measured. How often may change: a run that is resumed may want more.
std::string cases_sha256(const std::vector<CaseSpec>& cases) {
  std::set<std::string> found;
  for (const CaseSpec& spec : cases) {
    found.insert(dump_json(without_process(to_json(spec))));
  }
  return sha256_hex(fmt::format("{}", fmt::join(found, "\n")));
}

}  // namespace

Json run_identity(const Json& kernels, const ChildProgram& child,
                  const std::vector<CaseSpec>& cases) {
  Json identity = {
      {"build", kernels.at("binary_sha256")},
      {"set of cases", cases_sha256(cases)},
      {"CPU", kernels.at("cpu")},
      {"set of CPU flags", sha256_hex(dump_json(kernels.at("cpu_flags")))},
      {"set of libraries", sha256_hex(dump_json(kernels.at("libraries")))},
      {"set of variables", sha256_hex(dump_json(kernels.at("variables")))},
      {"--bind or --profile", child.environment},
      {"--counters", std::vector<std::string>(child.command.begin() + 1, child.command.end())}};
  add_programs(identity, child, cases);
  return identity;
}

void check_same_run(const Json& before, const Json& now, const std::string& name) {
  for (const auto& item : now.items()) {
    if (before.contains(item.key()) && before.at(item.key()) != item.value()) {
      throw_bad_input("--resume {}: written with another {}: was {}, is {}; measure anew", name,
                      item.key(), dump_json(before.at(item.key())), dump_json(item.value()));
    }
  }
}

}  // namespace voxmark

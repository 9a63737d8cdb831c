#include "benches/exchange/contenders.h"

#include "base/error.h"
#include "benches/exchange/outside_program.h"
#include "benches/protocol/contender.h"

namespace voxmark {

std::vector<CaseSpec> with_backend(std::vector<CaseSpec> cases, const std::string& backend) {
  for (CaseSpec& spec : cases) {
    spec.backend = backend;
  }
  return cases;
}

void check_contenders(const std::vector<CaseSpec>& cases, const std::string& against,
                      const std::string& against_backend) {
  for (const CaseSpec& spec : cases) {
    if (!against.empty() && !is_of_build(spec.backend)) {
      throw_bad_input(
          "--against {}: compares builds of voxmark, and {} is a program of its own: both sides "
          "would run the same one; for two programs: --backend NEW --against-backend BASE",
          against, spec.backend);
    }
    if (!against_backend.empty() && spec.backend != cases.front().backend) {
      throw_bad_input(
          "--against-backend {}: stands beside one backend, found {} and {}; expected one "
          "--backend",
          against_backend, cases.front().backend, spec.backend);
    }
  }
}

std::string same_build_warning(const std::string& other, const ReportHeader& ours,
                               const ReportHeader& theirs) {
  const Json& hash = ours.voxmark.at("binary_sha256");
  if (theirs.voxmark.at("binary_sha256") != hash) {
    return "";
  }
  const bool same_libraries =
      theirs.environment.value("libraries", Json()) == ours.environment.value("libraries", Json());
  return fmt::format("--against {}: the same binary as this one (sha256 {}), {}", other,
                     hash.get<std::string>().substr(0, 12),
                     same_libraries
                         ? "with the same libraries: what differs between the sides is noise"
                         : "with other libraries, whose hashes are in the reports");
}

std::string same_contenders_warning(const ChildProgram& child, const CaseSpec& ours,
                                    const std::string& other) {
  const CaseSpec theirs = with_backend({ours}, other).front();
  if (!is_of_build(ours.backend) && !is_of_build(theirs.backend)) {
    OutsideProgram programs;
    return same_program_warning(programs.facts(contender_of(ours, child.command).command),
                                programs.facts(contender_of(theirs, child.command).command));
  }
  return ours.backend == other
             ? fmt::format("both sides are {}: what differs between them is noise", other)
             : "";
}

}  // namespace voxmark

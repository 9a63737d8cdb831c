// Who computes a case, how that is started, and what differs in how it is measured.
#pragma once

#include <string>
#include <vector>

#include "workloads/cases/case_spec.h"

namespace voxmark {

// The prefix that makes a backend a program by its command: "exec:./mine --fast".
constexpr const char* kExternalPrefix = "exec:";

enum class ContenderKind {
  backend,  // one of voxmark's own, built or not
  peer,     // a framework that ci/peers installs
  program,  // somebody else's, by its command
};
// A name that is neither a peer's nor a command is taken for a backend's (backends/registry).
ContenderKind kind_of(const std::string& backend);

// The questions that are asked of a case's `backend`. A new kind answers each of them.

// Whether it comes with a build of voxmark: the registry has it, and the digest, commit and flags
// of the build identify it. Others are identified by the files that their command names.
bool is_of_build(const std::string& backend);
// Whether voxmark's own child runs it: then our code reads clocks and probes at each step, hashes
// batch and weights and names the kernels. Of others it is known only by what they say.
bool runs_our_child(const std::string& backend);
// Whether it reads weights and batch from files and writes what it computed, which one of ours then
// compares with the reference. Others are verified in their own process.
bool exchanges_files(const std::string& backend);
// Whether several processes may compute a case of it together.
bool computes_on_ranks(const std::string& backend);
// Whether it plans its memory before it runs, also within a limit. What others take is measured.
bool plans_memory(const std::string& backend);
// Whether an error within it is a fault of voxmark's. What others do wrong is their answer: no.
bool is_fault_of_ours(const std::string& backend);

// Whether the running program itself computes the case, and no build for another instruction set:
// its own digest then identifies what was computed.
bool is_this_program(const CaseSpec& spec);

struct Contender {
  std::vector<std::string> command;      // empty where it is not installed
  std::vector<std::string> environment;  // "NAME=VALUE", beside the runner's own
  std::string missing;                   // why it cannot be started here; "" where it can
};

// `own_command` starts voxmark's own child. Whether a backend of this build has what it needs is
// not asked here (backends/registry). Throws Error (bad_input) for an "exec:" without a program.
Contender contender_of(const CaseSpec& spec, const std::vector<std::string>& own_command);

}  // namespace voxmark

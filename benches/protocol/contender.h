// Who computes a case, and how that is started.
#pragma once

#include <string>
#include <vector>

#include "workloads/cases/case_spec.h"

namespace voxmark {

// The prefix that makes a backend a program by its command: "exec:./mine --fast".
constexpr const char* kExternalPrefix = "exec:";

// Whether it is no backend of this build but a framework that ci/peers installs, or a program by
// its command. Such a one reads weights and batch from files and writes what it computed, which
// one of ours then compares with the reference. It tells neither what its threads waited nor,
// perhaps, what it plans to take. What it does wrong is no fault of ours.
bool is_external(const std::string& backend);
bool is_external(const CaseSpec& spec);

struct Contender {
  std::vector<std::string> command;      // empty where it is not installed
  std::vector<std::string> environment;  // "NAME=VALUE", beside the runner's own
  std::string missing;                   // why it cannot be started here; "" where it can
};

// `own_command` starts voxmark's own child. Whether a backend of this build has what it needs is
// not asked here (backends/registry). Throws Error (bad_input) for an "exec:" without a program.
Contender contender_of(const CaseSpec& spec, const std::vector<std::string>& own_command);

}  // namespace voxmark

// What two runs must have in common for their rows to stand in one report: cases, programs, CPU,
// and what children are started with. Digests, so that a report tells no paths by it.
#pragma once

#include <string>
#include <vector>

#include "benches/exchange/exchange.h"
#include "results/report.h"

namespace voxmark {

// {"CPU": ..., "set of libraries": "<digest>", "program step.py": "<digest>", ...}; `kernels` as
// benches/machine/environment.h: kernel_identity().
Json run_identity(const Json& kernels, const ChildProgram& child,
                  const std::vector<CaseSpec>& cases);

// Throws Error (bad_input) naming `name` and the first thing that differs between what a journal's
// run was and what this one is. What only one of them tells is not compared.
void check_same_run(const Json& before, const Json& now, const std::string& name);

}  // namespace voxmark

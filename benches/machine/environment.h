// What a measurement on this machine depends on: each fact a value, or null with the reason in its
// section's "reasons". Reads files and variables; changes nothing.
#pragma once

#include <string>

#include "base/json.h"

namespace voxmark {

// Sections cpu, memory, system, variables, build, libraries. `root` stands before /proc and /sys.
Json probe_environment(const std::string& root = "");

// The variables that change how OpenMP, oneDNN or malloc behave, and no others: no secrets.
Json performance_variables();

// CPUs that this process may run on.
int allowed_cpus();

// SHA-256 of the running program.
std::string binary_sha256();

// All that decides what a case's kernels compute, beside the case: for remembering proofs.
Json kernel_identity();

}  // namespace voxmark

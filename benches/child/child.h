// The child's side of the protocol: one case of voxmark's own backends, in this process.
#pragma once

#include <functional>
#include <string>

#include "benches/probes/process_counts.h"

namespace voxmark {

// What is measured beside the timed steps, in steps of its own.
struct Extras {
  std::string counters = "default";  // as benches/probes/counters.h reads it
  int watched_steps = 1;             // stage by stage
  CountProcess count = nullptr;      // allocations and thread starts, of the timed steps themselves
};

// Reads the request from standard input and answers on standard output, as PROTOCOL.md says; what
// libraries print on standard output goes to standard error instead. Returns after the end of its
// input. Errors of the case are answers; throws Error (internal) when the answer cannot be written.
void run_child(const Extras& extras);

// What a rank does before it runs its case: where that throws, all ranks are ended, saying why.
// Where this process is no rank, just `action`.
void before_mpi(const std::function<void()>& action);

}  // namespace voxmark

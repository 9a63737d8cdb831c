// The child's side of the protocol: one case of voxmark's own backends, in this process.
#pragma once

#include <string>

namespace voxmark {

// Reads the request from standard input and answers on standard output, as PROTOCOL.md says; what
// libraries print on standard output goes to standard error instead. Returns after the end of its
// input. `counters`: what is counted after the timed steps (benches/counters.h). Errors of the case
// are answers; throws Error (internal) when the answer cannot be written.
void run_child(const std::string& counters);

}  // namespace voxmark

// The child's side of the protocol: one case of voxmark's own backends, in this process.
#pragma once

namespace voxmark {

// Reads the request from standard input and answers on standard output, as PROTOCOL.md says; what
// libraries print on standard output goes to standard error instead. Returns after the end of its
// input. Errors of the case are answers; throws Error (internal) when the answer cannot be written.
void run_child();

}  // namespace voxmark

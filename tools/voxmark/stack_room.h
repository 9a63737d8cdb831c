// How much stack threads get. A kernel that runs out of it dies of SIGSEGV, which names nothing.
#pragma once

#include <string>

namespace voxmark {

// First in main(): raises a limit on the stack (ulimit -s) that is lower than the usual one as far
// as the system lets, for this process and its children. A limit or an OMP_STACKSIZE under which
// kernels cannot run is an Error.
void make_stack_room();

// Bytes of OpenMP's `OMP_STACKSIZE`: "512" (KiB), "16k", "2 M", "1g", "65536B"; 0 where it is none,
// which runtimes ignore.
long long stack_size_bytes(const std::string& text);

}  // namespace voxmark

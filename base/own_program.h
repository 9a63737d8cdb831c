// The program that runs: its file, to be started again, hashed, or looked beside.
#pragma once

#include <string>

namespace voxmark {

// "/proc/self/exe", which stays this very file when another takes its name; where there is no /proc
// (a chroot, a bare container), own_program_path().
std::string own_program();

// Its path without links, for people and for what lies beside it.
std::string own_program_path();

}  // namespace voxmark

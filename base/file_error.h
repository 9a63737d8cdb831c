// What a file that cannot be opened, made or read means to the exit code: whether another file,
// another limit or another disk mends it.
#pragma once

#include <string>
#include <string_view>

namespace voxmark {

// "PATH: cannot be created: Too many open files (ulimit -n)". Wrong input (no such file, no
// permission), cannot_here where this process or machine has run out of descriptors or memory,
// internal where the disk is full or broken, as for a write. `what`: "cannot be created".
[[noreturn]] void throw_file_error(const std::string& path, std::string_view what,
                                   int error_number);

}  // namespace voxmark

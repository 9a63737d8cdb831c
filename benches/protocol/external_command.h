// What "exec:PROGRAM ARGUMENTS" runs.
#pragma once

#include <string>
#include <vector>

namespace voxmark {

// Program and arguments, which are apart by blanks. Blanks in the name of a program that is there
// belong to it: the longest beginning that is a file is the program. Throws Error (bad_input) where
// there is none.
std::vector<std::string> external_command(const std::string& backend);

}  // namespace voxmark

// A folder for what only this run needs, where the system has its place for such (TMPDIR, else
// /tmp). The guard (benches/process/guard.h) removes it should we be killed.
#pragma once

#include <string>

namespace voxmark {

// Its path; the name begins with `prefix`. Throws Error (bad_input) naming the place, where no
// folder can be made in it.
std::string make_scratch_folder(const std::string& prefix);

// With all that is in it. "": nothing.
void remove_scratch_folder(const std::string& path);

}  // namespace voxmark

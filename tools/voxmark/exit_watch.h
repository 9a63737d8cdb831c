// Libraries that end the process. libgomp calls exit(1) where the system gives it no thread or no
// memory, and 1 is voxmark's word for "the answer is no".
#pragma once

#include <string>

namespace voxmark {

// From here on, an exit() that expect_exit() has not announced ends the process with
// ExitCode::cannot_here, after one line on standard error; `is_child`: without it, as the library's
// own last words become the case's reason.
void watch_exit(bool is_child);
void expect_exit();

}  // namespace voxmark

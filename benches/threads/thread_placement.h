// Where the threads of this process ran: asked of the kernel, not assumed from what was asked for.
#pragma once

#include <string>

#include "base/json.h"

namespace voxmark {

// One entry per thread, in the order of creation: {"cpu": it last ran on, "allowed": "0-3",
// "cpu_seconds": so far}. `task_folder`: another process's, for tests.
Json thread_placement(const std::string& task_folder = "/proc/self/task");

}  // namespace voxmark

// Ranks that are threads of this process: to know what ranks compute. They say nothing of time.
#pragma once

#include <functional>

#include "backends/collectives.h"

namespace voxmark {

// Calls run(collectives) in one thread per rank, and returns when all have returned. An exception
// of one rank ends the process: the others wait for it.
void run_ranks(int ranks, const std::function<void(Collectives&)>& run);

}  // namespace voxmark

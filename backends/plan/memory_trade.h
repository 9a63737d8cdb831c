// What a backend's memory limit buys: the plans between keeping every tensor and the least memory
// there is. Pure; allocates no tensor.
#pragma once

#include <vector>

#include "backends/backend.h"

namespace voxmark {

// By bytes, the most first: everything kept, the plan without a limit, the least there is, and some
// between these. One plan where the backend trades nothing. `options.memory_limit_bytes` is not
// read.
std::vector<MemoryPlan> memory_trade_off(const Backend& backend, const Program& program,
                                         CompileOptions options);

}  // namespace voxmark

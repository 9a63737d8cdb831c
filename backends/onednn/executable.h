// A compiled program: stages bound to an arena, and the ways in and out of it.
#pragma once

#include <memory>

#include "backends/backend.h"

namespace voxmark::onednn {

// The plan of what compile() returns.
MemoryPlan plan(const Program& program, const CompileOptions& options);

std::unique_ptr<Executable> compile(const Program& program, const CompileOptions& options);

}  // namespace voxmark::onednn

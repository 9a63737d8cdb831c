// A compiled program: stages bound to an arena, and the ways in and out of it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backends/backend.h"
#include "backends/onednn/kernels/planned_stage.h"

namespace voxmark::onednn {

struct Settings {
  // Channels per panel where the network allows it, 8, 16, or 0 for ndhwc; compat.h tells what the
  // instruction set in use likes, the others work too.
  std::int64_t block = 0;
  Algorithm algorithm = Algorithm::winograd;
};

std::unique_ptr<Executable> compile(const Program& program, const CompileOptions& options,
                                    const Settings& settings);

// What compile() would return, without allocating a tensor.
struct Preview {
  std::vector<Stage> stages;
  MemoryPlan plan;
};
Preview preview(const Program& program, const CompileOptions& options, const Settings& settings);

}  // namespace voxmark::onednn

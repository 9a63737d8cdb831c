// What a library fell back on: kernels that say little about what it can do.
#pragma once

#include <string>

#include "results/record.h"

namespace voxmark {

// Of the record's stages, those that oneDNN runs by loops of reference ("ref:...") or by unrolling
// and a general matrix multiplication ("x64:gemm:jit"), in one line; "" when there are none.
std::string slow_kernels(const Record& record);

}  // namespace voxmark

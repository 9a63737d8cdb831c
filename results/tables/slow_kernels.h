// What a library fell back on: kernels that say little about what it can do.
#pragma once

#include <string>

#include "results/record.h"

namespace voxmark {

// Of the record's stages, those that run slow kernels (results/slow_kernel.h), in one line; "" when
// there are none.
std::string slow_kernels(const Record& record);

}  // namespace voxmark

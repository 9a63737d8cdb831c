// The reference backend: readable loops, in float and in double. No cleverness.
#pragma once

#include "backends/backend.h"

namespace voxmark {

// Supports fp32 and fp64.
const Backend& naive_backend();

}  // namespace voxmark

// The backend that computes nothing: what remains is the cost of the harness itself, everything
// between two steps with all probes on. Its records are `overhead`, never a speed-up.
#pragma once

#include "backends/backend.h"

namespace voxmark {

const Backend& null_backend();

}  // namespace voxmark

// The backend on oneDNN's convolutions, with passes and products of our own between them.
#pragma once

#include "backends/backend.h"

namespace voxmark {

// Supports fp32.
const Backend& onednn_backend();

}  // namespace voxmark

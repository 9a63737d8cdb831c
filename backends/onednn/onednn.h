// The backends on oneDNN, with passes and products of our own between its convolutions.
#pragma once

#include "backends/backend.h"
#include "backends/matrix_product.h"

namespace voxmark {

// Both support fp32 and, where the CPU does, bf16.
//
// The fastest step that we know to write: 3x3x3 convolutions by Winograd's algorithm, in code of
// our own, and oneDNN's for the rest.
const Backend& onednn_backend();
// The same with oneDNN's direct convolutions, the algorithm of the white paper's fast build.
const Backend& onednn_direct_backend();

// What the library multiplies in bf16 at most.
ProductOrReason onednn_bf16_product();

}  // namespace voxmark

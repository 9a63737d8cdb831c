// The stages of an executable as a child tells them, and what two lists of them have in common.
#pragma once

#include <string>
#include <vector>

#include "backends/backend.h"
#include "base/json.h"

namespace voxmark {

// [{"ops": ["encodeA_conv0/convolution"], "implementation": "jit:avx512_core", ...}]
Json stages_to_json(const Program& program, const Executable& executable);

// The ops that `timed` runs by another implementation than `verified` did, as "op: verified ->
// timed". Ops that only one of them names are passed over.
std::vector<std::string> other_kernels(const Json& verified, const Json& timed);

}  // namespace voxmark

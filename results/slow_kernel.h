// Whether a kernel is one that a fast library falls back on: it says little about what the library
// can do. voxmark_reports/slow_kernels.py has the same rule, and results/slow_kernel_examples.json
// holds both to it.
#pragma once

#include <string_view>

namespace voxmark {

// By the implementation's name: oneDNN's reference loops ("ref:any"), and its detour over a matrix
// multiplication ("gemm:jit", "x64:gemm:jit between reorders"). Our own kernels are named otherwise
// ("transposed gemm loops"). The child asks this and writes the answer beside each stage; readers
// ask it for reports that were written before stages said so (StageRecord::is_slow).
bool is_slow_kernel(std::string_view implementation);

}  // namespace voxmark

// What a step tells, made once and filled by every run, so that a step allocates nothing.
#pragma once

#include "backends/backend.h"

namespace voxmark {

// Zeros, with room for the sums of the program's predictions; no sums without a loss.
StepResult empty_result(const Program& program);

// `sums`: (N, C, kDiceSumCount) as DiceSums leaves them, of the program that `result` was made for.
void fill_result(double loss, const double* sums, StepResult& result);

}  // namespace voxmark

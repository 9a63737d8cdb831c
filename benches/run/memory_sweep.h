// The memory limits within which a case is measured when memory is traded for time step by step.
#pragma once

#include <cstdint>
#include <vector>

#include "workloads/cases/case_spec.h"

namespace voxmark {

// In bytes, falling: one for each plan between the most and the least memory. None where the
// backend has nothing to trade, or is no backend of this build.
std::vector<std::int64_t> limits_to_sweep(const CaseSpec& spec);

}  // namespace voxmark

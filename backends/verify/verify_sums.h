// The sums that a step leaves (ClassSums) against the reference's: what Dice and accuracy are made
// of.
#pragma once

#include <span>
#include <vector>

#include "backends/verify/verify.h"

namespace voxmark {

// One check per kind of sum, its worst over samples and channels. `tolerance` is that of a single
// prediction: no mean of predictions may be further off.
std::vector<TensorCheck> check_sums(std::span<const ClassSums> found,
                                    const StepReference& reference, double tolerance);

}  // namespace voxmark

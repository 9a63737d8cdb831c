// Whether warm-up was over when the timed steps began. Pure.
#pragma once

#include <vector>

#include "results/record.h"

namespace voxmark {

// A step this much slower than the slowest of the later ones still pays for something that comes
// once; less is the spread that steps have anyway.
constexpr double kWarmUpMargin = 0.05;

// From all steps of a process in their order, warm-up first: over where the first timed step is as
// fast as the later half of the timed ones. Not known, for a reason, where three undisturbed timed
// steps are not to be had. Steps that were tainted are slow for another reason and judge nothing.
WarmUp warm_up(const std::vector<SampleRecord>& samples);

// Of the first copy that was not warm yet, or of the first one.
WarmUp warm_up_of_copies(const std::vector<SampleRecord>& samples, int copies);

}  // namespace voxmark

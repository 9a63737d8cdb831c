// What a schema cannot say of a report: that its figures agree with each other.
#pragma once

#include <string>
#include <vector>

#include "results/report.h"

namespace voxmark {

// Whether the step is forward and backward + update, but for the rounding of a sum.
bool adds_up(const StepTimes& times);

// One line per fault, naming the record; none when all agree. Checked: the case is one of ours and
// stands once; its reproducer is the case's; step = forward and backward + update; steps and
// warm-up as many as asked for; a published time is of a verified case; nominal FLOPs and
// parameters are the network's; the plan's purposes sum to the plan; base <= peak; losses of
// verified cases are finite.
std::vector<std::string> inconsistencies(const Report& report);

}  // namespace voxmark

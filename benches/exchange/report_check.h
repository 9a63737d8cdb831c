// What a schema cannot say of a report: that its figures agree with each other.
#pragma once

#include <string>
#include <vector>

#include "results/report.h"

namespace voxmark {

// Whether the step is forward and backward + update, but for the rounding of a sum.
bool adds_up(const StepTimes& times);

// One line per fault, naming the record, both members and both values; none when all agree. Only
// what cannot be in a report that was measured is a fault. Checked: the case is one of ours and
// stands once; its reproducer is the case's; step = forward and backward + update; steps and
// warm-up as many as asked for, and within the case's wall time; CPU time that the CPUs have; rates
// below a hundred times the measured peak; kernels that the CPU's flags allow; a published time is
// of a verified case, its worst error within its tolerance; nominal FLOPs and parameters are the
// network's; processes of a case have the same batch, weights and first loss; the plan's purposes
// sum to the plan; base <= peak; losses of verified cases are finite; the machine can be one
// (benches/machine/environment_check.h).
std::vector<std::string> inconsistencies(const Report& report);

}  // namespace voxmark

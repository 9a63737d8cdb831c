// What other programs take of our CPUs, by the system's own account.
#pragma once

#include <optional>

namespace voxmark {

// So far, CPU seconds on the CPUs of this process that neither it nor children that have ended
// used. Only differences mean anything. Nothing where /proc/stat does not tell of each of these
// CPUs.
std::optional<double> others_seconds();

}  // namespace voxmark

// Whether what a report tells of its machine can be of one machine. Knows nothing of records.
// Says only what no machine can show: virtual machines and containers show odd ones.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace voxmark {

// One line per contradiction, naming both facts and their values; none where facts are missing.
std::vector<std::string> environment_contradictions(const Json& environment);

// Whether the CPU's flags lack what the name of a kernel or an instruction set needs, as
// "brg:avx512_core_amx": then the flag, else "". "" too where the flags are not known.
std::string missing_flag(const Json& environment, std::string_view kernel);

}  // namespace voxmark

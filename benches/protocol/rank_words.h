// What the runner and the ranks of a case say to each other beside the protocol, of which rank 0
// alone is a part: variables, and lines on standard error.
#pragma once

namespace voxmark {

// Set for ranks, to their number.
constexpr const char* kRanksVariable = "VOXMARK_RANKS";
// Set where ranks may share CPUs, to one of these words.
constexpr const char* kShareCpusVariable = "VOXMARK_RANKS_SHARE_CPUS";
constexpr const char* kShareWithOthers = "others";  // each may use as many CPUs as it has threads
constexpr const char* kShareAlways = "always";

}  // namespace voxmark

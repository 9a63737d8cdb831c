// Whether ranks can compute together here: what voxmark run does with them before anything is
// timed.
#pragma once

#include <variant>

#include "base/json.h"
#include "benches/machine/doctor.h"
#include "tools/voxmark/rank_options.h"

namespace voxmark {

struct RankDiagnosis {
  Diagnosis finding;            // good, or why they cannot, with the flag that mends it
  Json ranks = Json::object();  // what they told: launcher, library, each; empty: nothing
};

// `threads` of each rank; 0: as threads_of_ranks(). Throws Error (bad_input) where a flag is wrong,
// or flags do not go together.
RankDiagnosis diagnose_ranks(const RankFlags& flags, int ranks, int threads);

// A line for each rank; "" where they told nothing.
std::string render_ranks(const Json& ranks);

}  // namespace voxmark

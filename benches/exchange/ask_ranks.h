// Ranks that are started to tell something, without a case (benches/child/rank_answers.h).
#pragma once

#include <string>

#include "base/json.h"
#include "benches/exchange/rank_children.h"

namespace voxmark {

// What the ranks of this program answer to `question`. Throws Error: bad_input where launcher,
// hosts and place do not go together; cannot_here where the ranks do not start, or one of them
// fails, with its name.
Json ask_ranks(const RankSettings& settings, int ranks, int threads, const std::string& question,
               double patience_seconds);

}  // namespace voxmark

// The limits of a run's ranks, measured before its first case.
#pragma once

#include <span>
#include <vector>

#include "benches/exchange/rank_children.h"
#include "results/rank_facts.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

// Of so many ranks, started as those of cases are, in the sizes of a step or in all. Throws Error
// as ask_ranks(), and bad_input where the ranks cannot compute together.
RankLimits measured_rank_limits(const RankSettings& settings, int ranks, int threads,
                                bool all_sizes);

// Of every number of ranks and threads that the cases have: a launch each. What could not be
// measured says why.
std::vector<RankLimits> rank_limits_of(const RankSettings& settings,
                                       std::span<const CaseSpec> cases);

}  // namespace voxmark

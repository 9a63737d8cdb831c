// How fast ranks reach each other, measured by the calls that a step makes: all ranks call this
// together. Knows nothing of how they are started.
#pragma once

#include "backends/collectives.h"
#include "results/rank_facts.h"

namespace voxmark {

enum class RankSizes {
  all,  // 8 B to 64 MiB
  few,  // those of a step, in about a second
};

// On all ranks alike. Each time is the mean over ranks of one call; of many calls the median, the
// mean and both ends.
//
// A gather is what a meeting costs. With two ranks each sends and receives at once: half a round
// trip of a message. Sums are those of gradients, one message at a time: every rank sends
// 2 (R - 1) / R of the bytes.
RankLimits rank_limits(Collectives& collectives, RankSizes sizes);

}  // namespace voxmark

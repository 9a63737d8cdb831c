// Ranks whose program is not voxmark's child: who places them, and where they meet.
#pragma once

#include <string>
#include <vector>

#include "benches/exchange/rank_children.h"
#include "benches/protocol/contender.h"

namespace voxmark {

// `own_command` (voxmark's child) holds each rank on its CPUs and becomes the contender's command.
// Ranks meet at MASTER_ADDR and MASTER_PORT, a port of the first host that is free here now.
Contender placed_by(const std::vector<std::string>& own_command, Contender contender,
                    const RankSettings& settings);

}  // namespace voxmark

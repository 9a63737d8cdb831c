// How the ranks of cases are started, from flags: for the commands that run them.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "benches/exchange/rank_children.h"
#include "tools/voxmark/command_line.h"

namespace voxmark {

struct RankFlags {
  std::string launcher;
  std::string hosts;
  std::string place = "numa";
  bool oversubscribe = false;
};

void add_rank_options(Command command, RankFlags& flags);

// Throws Error (bad_input) naming a flag that was given: for a command without its --ranks.
void refuse_rank_flags(const RankFlags& flags);

// Settings, or why this machine starts no ranks and how to change that: its cases are then skipped.
// Throws Error (bad_input) where a flag is wrong.
std::variant<RankSettings, std::string> rank_settings(const RankFlags& flags);

// `asked`, or where that is 0 an equal share of this machine's CPUs for each rank on a host.
int threads_of_ranks(const RankSettings& settings, int ranks, int asked);

// Whether this machine has a CPU for each thread, where all ranks run on it and none are to share.
bool have_cpus_for_ranks(const RankFlags& flags, int ranks, int threads);
// Throws Error (bad_input) where it has not.
void check_cpus_for_ranks(const RankFlags& flags, int ranks, int threads);

}  // namespace voxmark

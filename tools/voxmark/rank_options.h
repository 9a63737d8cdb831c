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

// Settings, or why this machine starts no ranks and how to change that: its cases are then skipped.
// Throws Error (bad_input) where a flag is wrong.
std::variant<RankSettings, std::string> rank_settings(const RankFlags& flags);

}  // namespace voxmark

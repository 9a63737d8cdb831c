// What rank 0 of a command that runs as ranks says to the process that started them: its standard
// output and error output piece by piece, that it is alive, and how it ends. Lines on its standard
// output, on which MPI libraries may print, too.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace voxmark {

enum class RankSays { output, errors, alive, end };

struct RankSaid {
  RankSays what = RankSays::alive;
  std::string text = {};                // of output and errors
  ExitCode code = ExitCode::done;       // of end
  std::vector<std::string> lines = {};  // of end: what went wrong, a line each
};

// One line, without its newline; and back: nothing where it is somebody else's.
std::string to_line(const RankSaid& said);
std::optional<RankSaid> parse_rank_said(std::string_view line);

// For rank 0: from now on all that is printed to `stdout` and `stderr` of the C library is said so.
// The descriptors stay what they are.
void say_what_is_printed();
void say(const RankSaid& said);

}  // namespace voxmark

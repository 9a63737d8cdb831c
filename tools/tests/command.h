// Runs voxmark as its users do: a process, its exit status, its two streams.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace voxmark {

struct CommandResult {
  int status = 0;  // exit code, or 128 + signal
  std::string out;
  std::string err;

  Json json() const { return parse_json(out, "standard output"); }
};

// Arguments are passed as they are: no shell. `out_path`: where standard output goes, "": into the
// result.
CommandResult run_voxmark(const std::vector<std::string>& arguments,
                          const std::string& out_path = "");

}  // namespace voxmark

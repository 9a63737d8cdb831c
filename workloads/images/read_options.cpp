#include "workloads/images/read_options.h"

#include <fmt/format.h>

namespace voxmark {

std::vector<std::string> flags_of(const ReadOptions& reading) {
  std::vector<std::string> flags;
  if (reading.follow_links) {
    flags.emplace_back("--follow-links");
  }
  if (reading.affine_tolerance != ReadOptions{}.affine_tolerance) {
    flags.insert(flags.end(), {"--affine-tolerance", fmt::format("{}", reading.affine_tolerance)});
  }
  return flags;
}

}  // namespace voxmark

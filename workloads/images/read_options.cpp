#include "workloads/images/read_options.h"

#include <cmath>

#include "base/error.h"

namespace voxmark {

void check(const ReadOptions& reading) {
  if (!(reading.affine_tolerance > 0) || std::isinf(reading.affine_tolerance)) {
    throw_bad_input("affine tolerance {}: expected millimetres above 0", reading.affine_tolerance);
  }
}

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

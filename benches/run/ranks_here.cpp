#include "benches/run/ranks_here.h"

#include <fmt/format.h>

#include "base/number_text.h"
#include "benches/protocol/contender.h"

namespace voxmark {

std::string obstacle_of_ranks(const CaseSpec& spec, const std::string& no_ranks) {
  if (spec.ranks == 1) {
    return "";
  }
  return runs_our_child(spec.backend) ? no_ranks : spec.backend + " computes on one rank only";
}

int ranks_here(const CaseSpec& spec) { return spec.ranks; }

std::string need_text(int ranks, std::int64_t bytes_of_rank) {
  return ranks == 1 ? fmt::format("needs {}", bytes_text(bytes_of_rank))
                    : fmt::format("{} ranks need {} ({} each)", ranks,
                                  bytes_text(ranks * bytes_of_rank), bytes_text(bytes_of_rank));
}

}  // namespace voxmark

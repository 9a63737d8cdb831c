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

int processes_here(const CaseSpec& spec) { return ranks_here(spec) * spec.copies; }

std::string need_text(const CaseSpec& spec, std::int64_t bytes_of_one) {
  const int processes = processes_here(spec);
  return processes == 1
             ? fmt::format("needs {}", bytes_text(bytes_of_one))
             : fmt::format("{} {} need {} ({} each)", processes,
                           spec.copies > 1 ? "copies" : "ranks",
                           bytes_text(processes * bytes_of_one), bytes_text(bytes_of_one));
}

}  // namespace voxmark

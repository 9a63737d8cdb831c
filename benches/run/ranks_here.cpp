#include "benches/run/ranks_here.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/number_text.h"
#include "benches/protocol/contender.h"

namespace voxmark {

std::string obstacle_of_ranks(const CaseSpec& spec, const std::string& no_ranks) {
  if (spec.ranks == 1) {
    return "";
  }
  return computes_on_ranks(spec.backend) ? no_ranks : spec.backend + " computes on one rank only";
}

int ranks_here(const CaseSpec& spec, const std::optional<RankSettings>& settings) {
  return settings && spec.ranks > 1 ? most_ranks_of_host(*settings, spec.ranks) : spec.ranks;
}

int processes_here(const CaseSpec& spec, const std::optional<RankSettings>& settings) {
  return ranks_here(spec, settings) * spec.copies;
}

int threads_here(const CaseSpec& spec, const std::optional<RankSettings>& settings, int cpus) {
  const int threads = processes_here(spec, settings) * spec.threads;
  return spec.ranks > 1 ? std::min(threads, cpus) : threads;
}

std::string need_text(const CaseSpec& spec, int processes, std::int64_t bytes_of_one) {
  if (processes == 1) {
    return fmt::format("needs {}", bytes_text(bytes_of_one));
  }
  const char* name = spec.copies > 1          ? "copies"
                     : processes < spec.ranks ? "ranks of a host"
                                              : "ranks";
  return fmt::format("{} {} need {} ({} each)", processes, name,
                     bytes_text(processes * bytes_of_one), bytes_text(bytes_of_one));
}

}  // namespace voxmark

#include "benches/ranks/local_rank.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>

#include "base/error.h"

namespace voxmark {
namespace {

std::string value_of(const Variables& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

// -1 where it is no number.
int number_of(std::string_view text) {
  int number = -1;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && end == text.data() + text.size() ? number : -1;
}

// What "2(x3),1" says of the node: 2, 2, 2, 1. -1 where it says nothing.
int tasks_of_node(const std::string& text, int node) {
  std::istringstream parts(text);
  for (std::string part; node >= 0 && std::getline(parts, part, ',');) {
    const std::size_t open = part.find("(x");
    const int repeats =
        open == std::string::npos
            ? 1
            : number_of(std::string_view(part).substr(open + 2, part.size() - open - 3));
    if (node < repeats) {
      return number_of(part.substr(0, open));
    }
    node -= std::max(repeats, 0);
  }
  return -1;
}

// The rank that `rank_name` tells, and the `count` that was read from `count_name`.
LocalRank checked(const Variables& environment, const std::string& rank_name,
                  const std::string& count_name, int count) {
  const LocalRank found{number_of(value_of(environment, rank_name)), count};
  if (found.rank < 0 || found.count < 1 || found.rank >= found.count) {
    const auto told = [&](const std::string& name) {
      return environment.contains(name) ? fmt::format("{}={}", name, value_of(environment, name))
                                        : name + " not set";
    };
    throw_bad_input(
        "{}, {}: a rank's launcher sets both, the first one below the second: start ranks by "
        "voxmark run --ranks, and unset what another mpirun has left behind",
        told(rank_name), told(count_name));
  }
  return found;
}

}  // namespace

std::optional<LocalRank> local_rank(const Variables& environment) {
  struct Names {
    const char* rank;
    const char* count;
  };
  for (const Names& names : {Names{"OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"},
                             Names{"MPI_LOCALRANKID", "MPI_LOCALNRANKS"}}) {
    if (environment.contains(names.rank) || environment.contains(names.count)) {
      return checked(environment, names.rank, names.count,
                     number_of(value_of(environment, names.count)));
    }
  }
  constexpr const char* kTasks = "SLURM_STEP_TASKS_PER_NODE";
  if (!environment.contains("SLURM_LOCALID") || !environment.contains(kTasks)) {
    return std::nullopt;  // a batch script has a SLURM_LOCALID, and is no rank
  }
  const int node = number_of(value_of(environment, "SLURM_NODEID"));
  return checked(environment, "SLURM_LOCALID", kTasks,
                 tasks_of_node(value_of(environment, kTasks), node));
}

}  // namespace voxmark

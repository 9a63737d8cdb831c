// A case's child where it is several ranks: how they are started, and which of them is to blame
// when they end.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "benches/protocol/contender.h"
#include "benches/ranks/hosts.h"
#include "benches/ranks/launcher.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

struct RankSettings {
  Launcher launcher;
  std::vector<Host> hosts;       // none: this one, or those of `allocation`
  std::vector<Host> allocation;  // of a batch system, whose launcher knows their names
  std::string place = "numa";
  bool oversubscribe = false;
  std::string mpi_plugin;  // its path
};

// Of a case's ranks, how many the host gets that gets the most.
int most_ranks_of_host(const RankSettings& settings, int ranks);

// The contender's command behind the launcher's, and its environment with `environment` for every
// rank. Throws Error (bad_input) where the launcher's words, the hosts and the place do not go
// together.
Contender started_as_ranks(const RankSettings& settings, const CaseSpec& spec, Contender contender,
                           const std::vector<std::string>& environment);

// What a launcher and its ranks said of a rank that ended.
struct RankEnd {
  std::optional<int> rank;
  std::string host;
  std::optional<int> signal;
  std::string said;  // its own last words
  bool is_host_lost = false;

  // "rank 1 on node7: SIGKILL", as far as it is known.
  std::string text() const;
};
// From standard error, where ranks say who they are (RankGroup) and Open MPI, Hydra and srun who
// ended. Nothing where nobody is named.
std::optional<RankEnd> rank_end(std::string_view error_text);

// From what ranks say when they are asked by SIGUSR1: those that do not wait for others, by name.
// "" where that tells nothing.
std::string ranks_that_hang(std::string_view error_text, int ranks);

}  // namespace voxmark

// A case's child where it is several ranks: how they are started, and which of them is to blame
// when they end.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "benches/protocol/contender.h"
#include "benches/protocol/rank_words.h"
#include "benches/ranks/hosts.h"
#include "benches/ranks/launcher.h"
#include "results/record.h"
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

// What is worth keeping of the words of so many ranks and their launcher.
std::size_t kept_bytes_of_ranks(int ranks);

// How a rank ended, or several, as it and the launcher say.
struct RankEnd {
  std::string who = "a rank";  // "rank 1", "ranks 1-3"
  std::string host = {};       // "" where nobody says it
  std::optional<int> signal = {};
  std::string said = {};                    // its own last words, or how it ended
  std::optional<RankFailure> failure = {};  // where it said whose fault it is
  bool killed_for_memory = false;           // by its kernel
  bool is_host_lost = false;
  bool is_gone = false;  // without a word, and nobody says how

  // "rank 1 on node7: SIGKILL", as far as it is known.
  std::string text() const;
  Outcome outcome() const;
  ExitCode code() const;  // whose fault, as Exchange::code
};
// From standard error, where ranks say who they are (rank_words.h) and Open MPI and srun who ended,
// and standard output, where MPICH's and Intel's launchers do. Nothing where nobody is named.
std::optional<RankEnd> rank_end(std::string_view text);

// From what ranks say when they are asked by SIGUSR1: those that do not wait for others, by name.
// "" where that tells nothing. `text`: all that was said, or who has answered is not known.
std::string ranks_that_hang(std::string_view text);

}  // namespace voxmark

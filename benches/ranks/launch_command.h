// The command that starts a program as ranks, word by word. A pure function but for
// variables_for_ranks().
#pragma once

#include <span>
#include <string>
#include <vector>

#include "benches/ranks/hosts.h"
#include "benches/ranks/launcher.h"

namespace voxmark {

struct LaunchRequest {
  int ranks = 1;
  std::vector<HostRanks> hosts = {};          // their ranks add up to `ranks`; none: this host, or
                                              // those of a batch system's allocation
  std::vector<std::string> environment = {};  // "NAME=VALUE", set for each rank, on other hosts as
                                              // well; of a name that is there twice, the last one
  bool oversubscribe = false;                 // more ranks than CPUs, as --oversubscribe asks for
  bool as_root = false;                       // Open MPI refuses to start as root unless it is told
};

// What a ChildProcess takes.
struct LaunchCommand {
  std::vector<std::string> words;
  std::vector<std::string> environment;
};

// Starts `program` as ranks, of which rank 0 alone gets standard input: others must not read it,
// since under MPICH their input never ends. No launcher binds a rank to
// CPUs: ranks place themselves (rank_place.h). What the user's own words ask for (--bind-to,
// --map-by, --mpi) is not asked for again, and a variable that they name (-x, -genv, --export) is
// theirs. Throws Error (bad_input) where these words say the number of ranks or the hosts, which
// --ranks and --hosts say, or a variable by which voxmark tells its ranks what to do, and where
// srun is to start unequal numbers of ranks on hosts.
LaunchCommand launch_command(const Launcher& launcher, const LaunchRequest& request,
                             std::span<const std::string> program);

// What of the user's own words binds each rank to CPUs: "--bind-to core"; "" where nothing does.
std::string binding_word(const Launcher& launcher);

// Of this process, what changes how ranks compute, wherever they run: "NAME=VALUE" of OMP_*, DNNL_*
// and their like (environment.h: performance_variables()), VOXMARK_* but for what is set for ranks
// alone, LD_LIBRARY_PATH.
std::vector<std::string> variables_for_ranks();

}  // namespace voxmark

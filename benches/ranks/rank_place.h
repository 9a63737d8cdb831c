// Which CPUs each rank of a host takes: its part of those that the host's ranks may use together.
// A pure function of the machine's shape, but for place_rank_and_exec().
//
// It knows nothing of MPI: it runs before MPI starts, so that the library's threads find the CPUs
// which the rank keeps.
#pragma once

#include <string>
#include <vector>

#include "benches/machine/topology.h"

namespace voxmark {

struct PlaceRequest {
  std::string place = "numa";  // "numa", "socket" or "none"
  int ranks = 1;               // of this host
  int threads = 1;             // of each rank
  bool oversubscribe = false;  // ranks may share CPUs where there are too few
};

// By local rank and by thread, the hardware threads that it may run on; nothing for "none": ranks
// stay where the launcher puts them.
//   - A thread has a core of its own, with the core's hardware threads, where there are as many
//     cores as threads of all ranks; else a hardware thread, and a rank as many cores as there are.
//   - A rank stays in one NUMA node (socket) where that has room. Ranks are spread evenly over the
//     nodes; neighbours share one.
//   - No two ranks share a hardware thread unless there are too few, and `oversubscribe` is set.
// Throws Error (bad_input) naming --threads, --ranks and --oversubscribe where there are too few,
// and naming --place where that is none of its words.
std::vector<std::vector<Cpus>> rank_places(const CpuTopology& topology,
                                           const PlaceRequest& request);

// Of this machine, or its plain list of CPUs, as one node, where hwloc tells nothing; empty where
// not even that is known.
CpuTopology topology_here();

// For the environment of ranks: what place_rank_and_exec() reads, "NAME=VALUE". `request.ranks` is
// not part of it: each host's launcher tells that.
std::vector<std::string> place_variables(const PlaceRequest& request);

// This process becomes that program, which ends with its launcher. Throws Error (cannot_here).
[[noreturn]] void become_rank(std::vector<std::string> words);

// First in a rank's process. Where place_variables() are set, holds this process on the CPUs of its
// local rank, says to OpenMP's runtime which thread has which of them (OMP_PLACES), and starts this
// program anew with the same arguments, since the runtime has read its variables already. The
// second time, and where these variables are not set, does nothing. Throws Error as rank_places(),
// and bad_input where no launcher tells the local rank.
void place_rank_and_exec();

// What it did for this process: "0-3,8"; "" where it did nothing.
std::string placed_cpus();

}  // namespace voxmark

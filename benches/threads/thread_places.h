// Where the threads of a team are held: a pure function of a topology, what `--bind` says and the
// number of threads. The runner asks an OpenMP runtime for it; what came of it stands in each
// record (probes).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "benches/machine/topology.h"

namespace voxmark {

// How the threads of children are to be held.
struct ThreadBinding {
  CpuTopology topology;
  std::string bind;  // "cores", "threads" or "numa"
};

// By thread, the hardware threads that it may run on.
//   cores    a core each, package by package: neighbours stay close, and no core has two threads
//            before every core has one
//   threads  a hardware thread each, those of a core one after the other: as few cores as can be
//   numa     a NUMA node each, spread over all of them: neighbours share a node
// Where there are more threads than such places, neighbours share one, and no place has two more
// threads than another. `threads` at least 1.
std::vector<Cpus> cpus_of_threads(const ThreadBinding& binding, int threads);

// Of `bind` on this machine; nothing for "", or where its topology is not known.
std::optional<ThreadBinding> binding_here(const std::string& bind);

// The variables that make an OpenMP runtime hold its threads so: "NAME=VALUE".
std::vector<std::string> openmp_places(std::span<const Cpus> cpus_of_threads);

}  // namespace voxmark

// Which CPUs each of several processes of a case gets, that know nothing of each other: places as
// of ranks.
#pragma once

#include <vector>

#include "benches/machine/topology.h"

namespace voxmark {

// Of each copy, in the order of the machine, the part that its threads are held on. There are CPUs
// for all of them.
std::vector<CpuTopology> topologies_of_copies(const CpuTopology& machine, int copies, int threads);
// The same of this machine; empty ones, which mean any CPU, where its CPUs are not known.
std::vector<CpuTopology> topologies_of_copies(int copies, int threads);

// Throws Error (bad_input) where the threads of all copies together are more than the CPUs, or
// where variables hold several copies on the same ones.
void check_cpus(int copies, int threads, int cpus);

}  // namespace voxmark

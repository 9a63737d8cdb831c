// The machine's shape as hwloc sees it: packages, cores, caches, NUMA nodes with their memory.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace voxmark {

// packages, cores, hardware_threads, numa_nodes [{bytes, cpus}], caches [{level, kind, bytes,
// count, cpus_each}], this_machine: false when HWLOC_* variables describe another one; {"reason"}
// where hwloc cannot tell.
Json topology();

// Hardware threads as the kernel numbers them, ascending.
using Cpus = std::vector<int>;

// What threads can be held on, package by package as hwloc orders it.
struct CpuTopology {
  std::vector<Cpus> cores;
  std::vector<Cpus> nodes;     // NUMA nodes that have CPUs, each set of CPUs once
  std::vector<Cpus> packages;  // sockets
};

// Of this machine, and of its CPUs those that this process may use. Nothing where hwloc cannot
// tell, or HWLOC_* variables describe another machine.
std::optional<CpuTopology> cpu_topology();

// Of a machine that hwloc makes up: "pack:4 core:20 pu:2". `allowed`: a list such as "0-3,8", or ""
// for all. Throws Error (bad_input) on what hwloc does not understand.
CpuTopology synthetic_topology(const std::string& description, const std::string& allowed = "");

}  // namespace voxmark

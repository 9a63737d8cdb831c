// The machine's shape as hwloc sees it: packages, cores, caches, NUMA nodes with their memory.
#pragma once

#include "base/json.h"

namespace voxmark {

// packages, cores, hardware_threads, numa_nodes [{bytes, cpus}], caches [{level, kind, bytes,
// count, cpus_each}], this_machine: false when HWLOC_* variables describe another one; {"reason"}
// where hwloc cannot tell.
Json topology();

}  // namespace voxmark

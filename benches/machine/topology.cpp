#include "benches/machine/topology.h"

#include <hwloc.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "benches/process/process_cpus.h"

namespace voxmark {
namespace {

struct Destroy {
  void operator()(hwloc_topology_t topology) const { hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<std::remove_pointer_t<hwloc_topology_t>, Destroy>;

std::string cpu_list(hwloc_const_cpuset_t set) {
  char* text = nullptr;
  if (set == nullptr || hwloc_bitmap_list_asprintf(&text, set) < 0) {
    return "";
  }
  std::string list = text;
  free(text);  // NOLINT: hwloc allocates it by malloc
  return list;
}

Json numa_nodes(hwloc_topology_t topology) {
  Json nodes = Json::array();
  const int count = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
  for (int i = 0; i < count; ++i) {
    const hwloc_obj_t node =
        hwloc_get_obj_by_type(topology, HWLOC_OBJ_NUMANODE, static_cast<unsigned>(i));
    nodes.push_back({{"bytes", static_cast<std::uint64_t>(node->attr->numanode.local_memory)},
                     {"cpus", cpu_list(node->cpuset)}});
  }
  return nodes;
}

Json caches(hwloc_topology_t topology) {
  struct Kind {
    hwloc_obj_type_t type;
    int level;
    const char* name;
  };
  constexpr std::array<Kind, 5> kKinds = {{{HWLOC_OBJ_L1CACHE, 1, "data"},
                                           {HWLOC_OBJ_L1ICACHE, 1, "instruction"},
                                           {HWLOC_OBJ_L2CACHE, 2, "unified"},
                                           {HWLOC_OBJ_L3CACHE, 3, "unified"},
                                           {HWLOC_OBJ_L4CACHE, 4, "unified"}}};
  Json found = Json::array();
  for (const Kind& kind : kKinds) {
    const int count = hwloc_get_nbobjs_by_type(topology, kind.type);
    if (count <= 0) {
      continue;
    }
    const hwloc_obj_t first = hwloc_get_obj_by_type(topology, kind.type, 0);
    found.push_back({{"level", kind.level},
                     {"kind", kind.name},
                     {"bytes", static_cast<std::uint64_t>(first->attr->cache.size)},
                     {"count", count},
                     {"hardware_threads_each", hwloc_bitmap_weight(first->cpuset)}});
  }
  return found;
}

struct FreeBitmap {
  void operator()(hwloc_bitmap_t bitmap) const { hwloc_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<std::remove_pointer_t<hwloc_bitmap_t>, FreeBitmap>;

Topology new_topology() {
  hwloc_topology_t created = nullptr;
  return Topology(hwloc_topology_init(&created) == 0 ? created : nullptr);
}

// By a sandbox. hwloc asks with larger and larger masks, until memory runs out.
bool affinity_is_refused() {
  cpu_set_t cpus;
  return sched_getaffinity(0, sizeof cpus, &cpus) != 0 && errno != EINVAL;  // a mask too small
}

Cpus cpus_of(hwloc_const_cpuset_t set) {
  Cpus cpus;
  for (int cpu = hwloc_bitmap_first(set); cpu >= 0; cpu = hwloc_bitmap_next(set, cpu)) {
    cpus.push_back(cpu);
  }
  return cpus;
}

// Of the objects of a type, of those that have CPUs.
std::vector<Cpus> cpus_by(hwloc_topology_t topology, hwloc_obj_type_t type) {
  std::vector<Cpus> sets;
  const int count = hwloc_get_nbobjs_by_type(topology, type);
  for (int i = 0; i < count; ++i) {
    Cpus cpus = cpus_of(hwloc_get_obj_by_type(topology, type, static_cast<unsigned>(i))->cpuset);
    if (!cpus.empty() && std::ranges::find(sets, cpus) == sets.end()) {
      sets.push_back(std::move(cpus));
    }
  }
  return sets;
}

// Of this process; nothing where they are not known.
Bitmap own_cpus() {
  const auto cpus = process_cpus();
  Bitmap set(hwloc_bitmap_alloc());
  if (!cpus || hwloc_bitmap_list_sscanf(set.get(), cpu_list_text(*cpus).c_str()) != 0) {
    return nullptr;
  }
  return set;
}

CpuTopology cpus_in(hwloc_topology_t topology) {
  CpuTopology found{cpus_by(topology, HWLOC_OBJ_CORE), cpus_by(topology, HWLOC_OBJ_NUMANODE),
                    cpus_by(topology, HWLOC_OBJ_PACKAGE)};
  if (found.cores.empty()) {  // some virtual machines tell of none
    found.cores = cpus_by(topology, HWLOC_OBJ_PU);
  }
  return found;
}

}  // namespace

std::optional<CpuTopology> cpu_topology() {
  const Topology topology = new_topology();
  const Bitmap own = own_cpus();
  if (topology == nullptr || affinity_is_refused() || hwloc_topology_load(topology.get()) != 0 ||
      hwloc_topology_is_thissystem(topology.get()) == 0 || own == nullptr ||
      hwloc_topology_restrict(topology.get(), own.get(), 0) != 0) {
    return std::nullopt;
  }
  return cpus_in(topology.get());
}

CpuTopology synthetic_topology(const std::string& description, const std::string& allowed) {
  const Topology topology = new_topology();
  if (topology == nullptr ||
      hwloc_topology_set_synthetic(topology.get(), description.c_str()) != 0 ||
      hwloc_topology_load(topology.get()) != 0) {
    throw_bad_input("topology {}: hwloc does not understand it", description);
  }
  if (!allowed.empty()) {
    const Bitmap set(hwloc_bitmap_alloc());
    if (hwloc_bitmap_list_sscanf(set.get(), allowed.c_str()) != 0 ||
        hwloc_topology_restrict(topology.get(), set.get(), 0) != 0) {
      throw_bad_input("topology {}: CPUs {}: none of them is there", description, allowed);
    }
  }
  return cpus_in(topology.get());
}

Json topology() {
  const Topology topology = new_topology();
  if (topology == nullptr) {
    return {{"reason", "hwloc cannot start"}};
  }
  if (affinity_is_refused()) {
    return {{"reason", "the system does not tell this process its CPUs"}};
  }
  // L1i is left out by default, and is part of every table of a server.
  hwloc_topology_set_icache_types_filter(topology.get(), HWLOC_TYPE_FILTER_KEEP_ALL);
  if (hwloc_topology_load(topology.get()) != 0) {
    return {{"reason", "hwloc cannot read this machine"}};
  }
  const auto count = [&](hwloc_obj_type_t type) {
    return hwloc_get_nbobjs_by_type(topology.get(), type);
  };
  return {{"this_machine", hwloc_topology_is_thissystem(topology.get()) != 0},
          {"packages", count(HWLOC_OBJ_PACKAGE)},
          {"cores", count(HWLOC_OBJ_CORE)},
          {"hardware_threads", count(HWLOC_OBJ_PU)},
          {"numa_nodes", numa_nodes(topology.get())},
          {"caches", caches(topology.get())}};
}

}  // namespace voxmark

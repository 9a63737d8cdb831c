#include "benches/topology.h"

#include <hwloc.h>

#include <array>
#include <memory>
#include <string>
#include <type_traits>

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

}  // namespace

Json topology() {
  hwloc_topology_t created = nullptr;
  if (hwloc_topology_init(&created) != 0) {
    return {{"reason", "hwloc cannot start"}};
  }
  const Topology topology(created);
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

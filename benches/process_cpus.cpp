#include "benches/process_cpus.h"

#include <fmt/format.h>
#include <omp.h>

#include <cstddef>
#include <vector>

namespace voxmark {

std::optional<cpu_set_t> process_cpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) {
    return std::nullopt;
  }
  for (int place = 0; place < omp_get_num_places(); ++place) {
    std::vector<int> ids(static_cast<std::size_t>(omp_get_place_num_procs(place)));
    omp_get_place_proc_ids(place, ids.data());
    for (const int id : ids) {
      CPU_SET(static_cast<std::size_t>(id), &cpus);
    }
  }
  return cpus;
}

std::string cpu_list_text(const cpu_set_t& cpus) {
  std::string list;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &cpus)) {
      continue;
    }
    const std::size_t first = cpu;
    while (cpu + 1 < CPU_SETSIZE && CPU_ISSET(cpu + 1, &cpus)) {
      ++cpu;
    }
    list += fmt::format("{}{}", list.empty() ? "" : ",", first);
    list += cpu == first ? "" : fmt::format("-{}", cpu);
  }
  return list;
}

}  // namespace voxmark

#include "benches/process/process_cpus.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <omp.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"

namespace voxmark {
namespace {

std::vector<int> ids_of(int place) {
  std::vector<int> ids(static_cast<std::size_t>(omp_get_place_num_procs(place)));
  omp_get_place_proc_ids(place, ids.data());
  return ids;
}

// Those of `all` that are there and ours: what is left of them where this thread, which runs on
// `own`, asks for all of them.
cpu_set_t known_to_kernel(const cpu_set_t& all, const cpu_set_t& own) {
  cpu_set_t known = own;
  if (sched_setaffinity(0, sizeof all, &all) == 0) {
    if (sched_getaffinity(0, sizeof known, &known) != 0) {
      known = own;
    }
    sched_setaffinity(0, sizeof own, &own);
  }
  return known;
}

}  // namespace

std::optional<cpu_set_t> process_cpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) {
    return std::nullopt;
  }
  cpu_set_t all = cpus;
  for (int place = 0; place < omp_get_num_places(); ++place) {
    for (const int id : ids_of(place)) {
      CPU_SET(static_cast<std::size_t>(id), &all);
    }
  }
  return CPU_EQUAL(&all, &cpus) ? cpus : known_to_kernel(all, cpus);
}

void check_places(int threads) {
  const std::optional<cpu_set_t> cpus = process_cpus();
  const int places = omp_get_num_places();
  if (!cpus || places == 0) {
    return;
  }
  // One after another from the first, where this thread is already; "spread" leaves some out.
  const int last = omp_get_proc_bind() == omp_proc_bind_spread ? places : std::min(threads, places);
  for (int place = 1; threads > 1 && place < last; ++place) {
    const std::vector<int> ids = ids_of(place);
    const bool is_there = std::ranges::any_of(
        ids, [&](int id) { return CPU_ISSET(static_cast<std::size_t>(id), &*cpus); });
    if (!is_there) {
      throw_bad_input("threads {}: one is to run on CPU {}, and this process may run on {}{}",
                      threads, fmt::join(ids, ","), cpu_list_text(*cpus), by_variables());
    }
  }
}

std::string by_variables() {
  std::vector<std::string> set;
  for (const char* name : kBindingVariables) {
    if (const char* value = std::getenv(name)) {
      set.push_back(fmt::format("{}={}", name, value));
    }
  }
  return set.empty() ? "" : fmt::format(" ({})", fmt::join(set, ", "));
}

bool asks_for_none(std::string value) {
  std::erase_if(value, [](unsigned char c) { return std::isspace(c) != 0; });
  std::ranges::transform(value, value.begin(), [](unsigned char c) { return std::tolower(c); });
  const std::string last_word = value.substr(value.rfind(',') + 1);  // of all, where no comma is
  return value == "false" || last_word == "none" || last_word == "disabled";
}

bool asks_for_binding(const std::string& value) {
  return value.find_first_not_of(" \t") != std::string::npos && !asks_for_none(value);
}

cpu_set_t set_of(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) {
    CPU_SET(static_cast<std::size_t>(cpu), &set);
  }
  return set;
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

#include "benches/ranks/copy_places.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "base/number_text.h"
#include "benches/process/process_cpus.h"
#include "benches/ranks/rank_place.h"

namespace voxmark {
namespace {

// What of these sets lies in `cpus`.
std::vector<Cpus> within(const std::vector<Cpus>& sets, const Cpus& cpus) {
  std::vector<Cpus> found;
  for (Cpus set : sets) {
    std::erase_if(set, [&](int cpu) { return std::ranges::find(cpus, cpu) == cpus.end(); });
    if (!set.empty()) {
      found.push_back(std::move(set));
    }
  }
  return found;
}

// A list of CPUs is the same one for every copy; names of kinds are each copy's own.
bool names_cpus(const std::string& variable, const std::string& value) {
  return variable == "GOMP_CPU_AFFINITY" ? asks_for_binding(value)
         : variable == "OMP_PLACES"      ? value.find('{') != std::string::npos
         : variable == "KMP_AFFINITY"    ? value.find("explicit") != std::string::npos
                                         : false;
}

}  // namespace

std::vector<CpuTopology> topologies_of_copies(const CpuTopology& machine, int copies, int threads) {
  PlaceRequest request;
  request.ranks = copies;
  request.threads = threads;
  std::vector<CpuTopology> found;
  for (const std::vector<Cpus>& of_threads : rank_places(machine, request)) {
    Cpus cpus;
    for (const Cpus& own : of_threads) {
      cpus.insert(cpus.end(), own.begin(), own.end());
    }
    found.push_back(
        {within(machine.cores, cpus), within(machine.nodes, cpus), within(machine.packages, cpus)});
  }
  return found;
}

std::vector<CpuTopology> topologies_of_copies(int copies, int threads) {
  const CpuTopology machine = topology_here();
  return machine.cores.empty() ? std::vector<CpuTopology>(static_cast<std::size_t>(copies))
                               : topologies_of_copies(machine, copies, threads);
}

void check_cpus(int copies, int threads, int cpus) {
  if (threads > cpus) {
    throw_bad_input("threads {}: this process may run on {}{}", threads, counted(cpus, "CPU"),
                    by_variables());
  }
  if (copies == 1) {
    return;
  }
  if (std::int64_t{copies} * threads > cpus) {
    throw_bad_input(
        "--copies {} of --threads {} each: expected {} threads at most, this process may run on "
        "{}{}",
        copies, threads, cpus, counted(cpus, "CPU"), by_variables());
  }
  for (const char* name : kBindingVariables) {
    const char* value = std::getenv(name);
    if (value != nullptr && names_cpus(name, value)) {
      throw_bad_input("--copies {}: {}={} would hold all of them on the same CPUs; unset it",
                      copies, name, value);
    }
  }
}

}  // namespace voxmark

#include "benches/threads/thread_places.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstddef>
#include <utility>

#include "base/error.h"

namespace voxmark {
namespace {

std::vector<Cpus> places_of(const ThreadBinding& binding) {
  const CpuTopology& topology = binding.topology;
  if (binding.bind == "cores") {
    return topology.cores;
  }
  if (binding.bind == "numa") {
    return topology.nodes;
  }
  if (binding.bind != "threads") {
    throw_internal("places of {}: expected cores, threads or numa", binding.bind);
  }
  std::vector<Cpus> single;
  for (const Cpus& core : topology.cores) {
    for (const int cpu : core) {
      single.push_back({cpu});
    }
  }
  return single;
}

// "{0:20,40:20}": runs of neighbours as first and length, which keeps the variable short.
std::string place_text(const Cpus& cpus) {
  std::vector<std::string> runs;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t length = 1;
    while (i + length < cpus.size() && cpus[i + length] == cpus[i] + static_cast<int>(length)) {
      ++length;
    }
    runs.push_back(length == 1 ? fmt::format("{}", cpus[i])
                               : fmt::format("{}:{}", cpus[i], length));
    i += length;
  }
  return fmt::format("{{{}}}", fmt::join(runs, ","));
}

}  // namespace

std::vector<Cpus> cpus_of_threads(const ThreadBinding& binding, int threads) {
  const std::vector<Cpus> places = places_of(binding);
  const auto team = static_cast<std::size_t>(threads);
  const bool fills_from_the_first = binding.bind != "numa" && team <= places.size();
  std::vector<Cpus> cpus;
  for (std::size_t thread = 0; thread < team; ++thread) {
    cpus.push_back(places.at(fills_from_the_first ? thread : thread * places.size() / team));
  }
  return cpus;
}

std::optional<ThreadBinding> binding_here(const std::string& bind) {
  std::optional<CpuTopology> topology = bind.empty() ? std::nullopt : cpu_topology();
  if (!topology || topology->cores.empty() || topology->nodes.empty()) {
    return std::nullopt;
  }
  return ThreadBinding{*std::move(topology), bind};
}

std::vector<std::string> openmp_places(std::span<const Cpus> cpus_of_threads) {
  std::vector<std::string> places;
  for (const Cpus& cpus : cpus_of_threads) {
    places.push_back(place_text(cpus));
  }
  // As many places as threads: "close" gives each thread the place of its own number.
  return {fmt::format("OMP_PLACES={}", fmt::join(places, ",")), "OMP_PROC_BIND=close"};
}

}  // namespace voxmark

#include "benches/ranks/rank_place.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <utility>

#include "base/command_words.h"
#include "base/error.h"
#include "base/json.h"
#include "base/own_program.h"
#include "benches/process/process_cpus.h"
#include "benches/ranks/launcher.h"
#include "benches/ranks/local_rank.h"
#include "benches/threads/thread_places.h"

namespace voxmark {
namespace {

constexpr const char* kPlace = "VOXMARK_PLACE";
constexpr const char* kThreads = "VOXMARK_PLACE_THREADS";
constexpr const char* kOversubscribe = "VOXMARK_PLACE_OVERSUBSCRIBE";
constexpr const char* kPlaced = "VOXMARK_PLACED";  // the CPUs, once that is done

std::string variable(const Variables& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

// What has one thread: a core, or one of its hardware threads.
struct Unit {
  Cpus cpus;
  std::size_t core = 0;
};
using Units = std::vector<Unit>;

// Of one NUMA node or socket, in the order of cores. `by_core`: a core each.
Units units_of(const std::vector<Cpus>& cores, const Cpus& domain, bool by_core) {
  Units units;
  for (std::size_t core = 0; core < cores.size(); ++core) {
    Cpus own;
    std::ranges::set_intersection(cores[core], domain, std::back_inserter(own));
    if (by_core && !own.empty()) {
      units.push_back({own, core});
    } else {
      for (const int cpu : own) {
        units.push_back({{cpu}, core});
      }
    }
  }
  return units;
}

std::size_t count_of(const std::vector<Units>& domains) {
  std::size_t count = 0;
  for (const Units& units : domains) {
    count += units.size();
  }
  return count;
}

// Of those that there are, `threads`: one of each core before a second one of any, in the order of
// cores.
Units picked(const Units& units, std::size_t threads) {
  std::vector<std::size_t> order(units.size());
  std::vector<std::size_t> turn(units.size(), 0);  // how many of its core come before it
  for (std::size_t i = 0; i < units.size(); ++i) {
    order[i] = i;
    turn[i] = i > 0 && units[i - 1].core == units[i].core ? turn[i - 1] + 1 : 0;
  }
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return turn[i]; });
  order.resize(std::min(threads, order.size()));
  std::ranges::sort(order);
  Units chosen;
  for (const std::size_t i : order) {
    chosen.push_back(units[i]);
  }
  return chosen;
}

// The units of the domains from `first` to before `last`.
Units joined(const std::vector<Units>& domains, std::size_t first, std::size_t last) {
  Units all;
  for (std::size_t i = first; i < last; ++i) {
    all.insert(all.end(), domains[i].begin(), domains[i].end());
  }
  return all;
}

// Ranks over domains evenly, and a domain over its ranks. Empty where one has not enough then.
std::vector<Units> even_places(const std::vector<Units>& domains, std::size_t ranks,
                               std::size_t threads) {
  std::vector<Units> places;
  const std::size_t count = domains.size();
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    Units own;
    if (ranks <= count) {
      const std::size_t first = rank * count / ranks;
      own = domains[first].size() >= threads ? domains[first]
                                             : joined(domains, first, (rank + 1) * count / ranks);
    } else {
      const std::size_t domain = rank * count / ranks;
      const std::size_t begin = (domain * ranks + count - 1) / count;      // its first rank
      const std::size_t end = ((domain + 1) * ranks + count - 1) / count;  // the next one's
      const Units& units = domains[domain];
      const auto cut = [&](std::size_t at) {
        return units.begin() +
               static_cast<std::ptrdiff_t>((at - begin) * units.size() / (end - begin));
      };
      own.assign(cut(rank), cut(rank + 1));
    }
    if (own.size() < threads) {
      return {};
    }
    places.push_back(picked(own, threads));
  }
  return places;
}

Units taken_from(Units& free, std::size_t threads) {
  const auto end = free.begin() + static_cast<std::ptrdiff_t>(threads);
  Units own(free.begin(), end);
  free.erase(free.begin(), end);
  return own;
}

// Domains of unequal size: a rank takes the first domain that still has room for all of it, and the
// ranks that find none take what is left. There is enough for all.
std::vector<Units> packed_places(std::vector<Units> domains, std::size_t ranks,
                                 std::size_t threads) {
  std::vector<Units> places;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const auto room =
        std::ranges::find_if(domains, [&](const Units& units) { return units.size() >= threads; });
    if (room == domains.end()) {
      Units left = joined(domains, 0, domains.size());
      places.push_back(taken_from(left, threads));
      domains = {left};
    } else {
      places.push_back(taken_from(*room, threads));
    }
  }
  return places;
}

// More threads than hardware threads: neighbours share one, and none has two more than another.
std::vector<Units> shared_places(const Units& units, std::size_t ranks, std::size_t threads) {
  std::vector<Units> places(ranks);
  for (std::size_t i = 0; i < ranks * threads; ++i) {
    places[i / threads].push_back(units[i * units.size() / (ranks * threads)]);
  }
  return places;
}

Cpus all_cpus(const std::vector<Cpus>& sets) {
  Cpus all;
  for (const Cpus& cpus : sets) {
    all.insert(all.end(), cpus.begin(), cpus.end());
  }
  std::ranges::sort(all);
  return all;
}

// Of each NUMA node or socket that has CPUs; of all together where a CPU is in none (virtual
// machines may tell of no socket).
std::vector<Units> domains_of(const CpuTopology& topology, const std::string& place, bool by_core) {
  std::vector<Cpus> sets = place == "socket" ? topology.packages : topology.nodes;
  if (all_cpus(sets) != all_cpus(topology.cores)) {
    sets = {all_cpus(topology.cores)};
  }
  std::vector<Units> domains;
  domains.reserve(sets.size());
  for (const Cpus& set : sets) {
    domains.push_back(units_of(topology.cores, set, by_core));
  }
  return domains;
}

cpu_set_t mask_of(const std::vector<Cpus>& places) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  for (const int cpu : all_cpus(places)) {
    CPU_SET(static_cast<std::size_t>(cpu), &mask);
  }
  return mask;
}

void set_variables(const std::vector<std::string>& assignments) {
  for (const std::string& assignment : assignments) {
    const std::size_t equals = assignment.find('=');
    setenv(assignment.substr(0, equals).c_str(), assignment.substr(equals + 1).c_str(), 1);
  }
}

// As the kernel keeps them.
std::vector<std::string> own_arguments() {
  const std::string text = read_text_file("/proc/self/cmdline");
  std::vector<std::string> arguments;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    arguments.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return arguments;
}

}  // namespace

CpuTopology topology_here() {
  std::optional<CpuTopology> known = cpu_topology();
  if (known && !known->cores.empty() && !known->nodes.empty()) {
    return *std::move(known);
  }
  const std::optional<cpu_set_t> cpus = process_cpus();
  CpuTopology flat;
  for (int cpu = 0; cpus && cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<std::size_t>(cpu), &*cpus)) {
      flat.cores.push_back({cpu});
    }
  }
  flat.nodes = {all_cpus(flat.cores)};
  return flat;
}

std::vector<std::vector<Cpus>> rank_places(const CpuTopology& topology,
                                           const PlaceRequest& request) {
  if (request.place != "numa" && request.place != "socket" && request.place != "none") {
    throw_bad_input("--place {}: expected numa, socket or none", request.place);
  }
  if (request.ranks < 1 || request.threads < 1) {
    throw_bad_input("{} ranks of {} threads: expected at least one of each", request.ranks,
                    request.threads);
  }
  const auto ranks = static_cast<std::size_t>(request.ranks);
  const auto threads = static_cast<std::size_t>(request.threads);
  if (request.place == "none") {
    return std::vector<std::vector<Cpus>>(ranks);
  }
  std::vector<Units> domains = domains_of(topology, request.place, true);
  if (ranks * threads > count_of(domains)) {
    domains = domains_of(topology, request.place, false);
  }
  const std::size_t there = count_of(domains);
  std::vector<Units> places;
  if (ranks * threads <= there) {
    places = even_places(domains, ranks, threads);
    places = places.empty() ? packed_places(domains, ranks, threads) : places;
  } else if (request.oversubscribe && there > 0) {
    places = shared_places(joined(domains, 0, domains.size()), ranks, threads);
  } else {
    throw_bad_input(
        "{} ranks of {} threads on a host need {} CPUs, and there are {} to use: fewer --threads, "
        "fewer --ranks, more --hosts, --oversubscribe, or --place none where the launcher binds "
        "ranks to CPUs",
        ranks, threads, ranks * threads, there);
  }
  std::vector<std::vector<Cpus>> cpus;
  for (const Units& units : places) {
    cpus.emplace_back();
    for (const Unit& unit : units) {
      cpus.back().push_back(unit.cpus);
    }
  }
  return cpus;
}

std::vector<std::string> place_variables(const PlaceRequest& request) {
  return {fmt::format("{}={}", kPlace, request.place),
          fmt::format("{}={}", kThreads, request.threads),
          fmt::format("{}={}", kOversubscribe, request.oversubscribe ? 1 : 0)};
}

void place_rank_and_exec() {
  const Variables environment = own_variables();
  if (!environment.contains(kPlace) || environment.contains(kPlaced)) {
    return;
  }
  const std::string place = environment.at(kPlace);
  if (place == "none") {
    return;
  }
  const std::optional<LocalRank> local = local_rank(environment);
  if (!local) {
    throw_bad_input(
        "{}={}: no launcher has told this process which rank of its host it is: start ranks by "
        "voxmark run --ranks, or unset {}",
        kPlace, place, kPlace);
  }
  const int threads = std::atoi(variable(environment, kThreads).c_str());  // NOLINT: 0 where none
  const auto places = rank_places(topology_here(), {place, local->count, threads,
                                                    variable(environment, kOversubscribe) == "1"});
  const std::vector<Cpus>& own = places[static_cast<std::size_t>(local->rank)];
  const cpu_set_t mask = mask_of(own);
  if (sched_setaffinity(0, sizeof mask, &mask) != 0) {
    throw Error(ExitCode::cannot_here,
                fmt::format("rank {} of this host cannot be held on CPUs {}: {}: --place none",
                            local->rank, cpu_list_text(mask), describe_errno(errno)));
  }
  for (const char* name : kBindingVariables) {  // which would be followed before ours
    unsetenv(name);
  }
  set_variables(openmp_places(own));
  set_variables({fmt::format("{}={}", kPlaced, cpu_list_text(mask))});
  std::vector<std::string> arguments = own_arguments();
  execv(own_program().c_str(), exec_pointers(arguments).data());
  throw_internal("{}: cannot be started again: {}", own_program_path(), describe_errno(errno));
}

void become_rank(std::vector<std::string> words) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // which it keeps
  execvp(words.at(0).c_str(), exec_pointers(words).data());
  throw Error(ExitCode::cannot_here,
              fmt::format("{}: cannot be started: {}", words[0], describe_errno(errno)));
}

std::string placed_cpus() {
  const char* const cpus = std::getenv(kPlaced);
  return cpus == nullptr ? "" : cpus;
}

}  // namespace voxmark

// For tests that start real launchers: what voxmark would start, and what a rank makes of it.
//
//   launch_probe command [--launcher TEXT] [--mpi TEXT] [--hosts FILE] [--oversubscribe]
//                        RANKS THREADS PLACE PROGRAM...
//     {"launcher": "Open MPI 4.1.4", "words": [...], "environment": [...]}
//   launch_probe rank
//     places itself, then {"rank": 0, "count": 2, "cpus": "0", "placed": "0", "places": "{0}",
//     "input": the line that rank 0 read}
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "benches/process/process_cpus.h"
#include "benches/ranks/hosts.h"
#include "benches/ranks/launch_command.h"
#include "benches/ranks/launcher.h"
#include "benches/ranks/local_rank.h"
#include "benches/ranks/rank_place.h"

namespace voxmark {
namespace {

using Words = std::vector<std::string>;

// The value behind an option, which is taken out of `words`; "" where it is not there.
std::string taken(Words& words, const std::string& option) {
  if (words.size() < 2 || words.front() != option) {
    return "";
  }
  std::string value = words[1];
  words.erase(words.begin(), words.begin() + 2);
  return value;
}

void print_command(Words words) {
  const std::string given = taken(words, "--launcher");
  const std::string mpi = taken(words, "--mpi");
  const std::string hosts = taken(words, "--hosts");
  LaunchRequest request;
  request.oversubscribe = words.front() == "--oversubscribe";
  words.erase(words.begin(), words.begin() + (request.oversubscribe ? 1 : 0));
  request.ranks = std::stoi(words.at(0));
  if (!hosts.empty()) {
    request.hosts = ranks_by_host(read_hosts(hosts), request.ranks, request.oversubscribe);
  }
  request.environment = variables_for_ranks();
  for (const std::string& variable : place_variables(
           {words.at(2), request.ranks, std::stoi(words.at(1)), request.oversubscribe})) {
    request.environment.push_back(variable);
  }
  request.as_root = geteuid() == 0;
  check_outside_mpirun();
  const Launcher launcher = find_launcher(given, launcher_version(mpi));
  words.erase(words.begin(), words.begin() + 3);
  const LaunchCommand command = launch_command(launcher, request, words);
  fmt::print("{}\n", dump_json({{"launcher", description(launcher)},
                                {"words", command.words},
                                {"environment", command.environment}}));
}

void print_rank() {
  place_rank_and_exec();
  const LocalRank local = local_rank(own_variables()).value_or(LocalRank{});
  const char* const places = std::getenv("OMP_PLACES");
  const auto cpus = process_cpus();
  std::string input;
  if (local.rank == 0) {  // MPICH leaves the others waiting for a line for ever
    std::getline(std::cin, input);
  }
  fmt::print("{}\n", dump_json({{"rank", local.rank},
                                {"count", local.count},
                                {"cpus", cpus ? cpu_list_text(*cpus) : ""},
                                {"placed", placed_cpus()},
                                {"places", places == nullptr ? "" : places},
                                {"input", input}}));
  std::fflush(stdout);
}

}  // namespace
}  // namespace voxmark

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (!words.empty() && words.front() == "rank") {
      voxmark::print_rank();
    } else if (words.size() > 4 && words.front() == "command") {
      voxmark::print_command({words.begin() + 1, words.end()});
    } else {
      voxmark::throw_bad_input("launch_probe: expected command or rank");
    }
  } catch (const voxmark::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
  return 0;
}

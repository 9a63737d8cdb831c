// On which hosts ranks run, and how many on each: a file as mpirun takes it, and the ranks dealt
// out. Pure but for read_hosts().
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace voxmark {

// A host that ranks may run on.
struct Host {
  std::string name;
  int slots = 0;  // ranks that it takes; 0: the file does not say

  bool operator==(const Host&) const = default;
};

// Lines "node1", "node1 slots=2" (Open MPI's words) or "node1:2" (MPICH's and Intel's); # begins a
// comment. A host on several lines has the slots of all of them, of which one without a number is
// one. `name` stands in messages. Throws Error (bad_input) naming the line.
std::vector<Host> parse_hosts(std::string_view text, std::string_view name);

// Throws Error (bad_input) when the file cannot be read.
std::vector<Host> read_hosts(const std::string& path);

// Of what Slurm says of an allocation, SLURM_TASKS_PER_NODE: "2(x3),1" is three hosts of 2 slots
// and one of 1. Nameless. None where the text is another one.
std::vector<Host> hosts_of_tasks(std::string_view text);

// What a host gets.
struct HostRanks {
  std::string host;
  int ranks = 0;

  bool operator==(const HostRanks&) const = default;
};

// By host, those that get ranks. Where slots are told, a host is filled before the next one, and a
// host without a number has one slot. Where none are told, each host gets as many as the others, or
// one more. Ranks that are neighbours share a host. `oversubscribe`: where slots run out, each host
// gets its share of all ranks. Throws Error (bad_input) where there are fewer slots than ranks, or
// no host.
std::vector<HostRanks> ranks_by_host(const std::vector<Host>& hosts, int ranks, bool oversubscribe);

}  // namespace voxmark

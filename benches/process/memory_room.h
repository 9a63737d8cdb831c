// How much memory a case may take on this machine, asked before it starts: an allocation that the
// system grants is no promise that the memory is there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace voxmark {

struct MemoryRoom {
  std::int64_t bytes = 0;
  // What set it: "MemAvailable", "cgroup limit", "memory limit"; or how it was estimated where the
  // kernel tells no MemAvailable (before Linux 3.14, WSL 1, OpenVZ).
  std::string source;
};

// The smaller of MemAvailable and what the cgroup (v1 or v2), or one of its ancestors, has left:
// its limit less what is in use and cannot be dropped. `root` stands before /proc and /sys.
MemoryRoom memory_room(const std::string& root = "");

// MemTotal; nothing where /proc/meminfo does not tell.
std::optional<std::int64_t> total_memory_bytes(const std::string& root = "");

// Of what a limit's file holds: nothing for "max", for 2^63 less a page (version 1's word for none)
// and for what is no number.
std::optional<std::int64_t> memory_limit_bytes(const std::string& text);

}  // namespace voxmark

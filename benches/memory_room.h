// How much memory a case may take on this machine, asked before it starts: an allocation that the
// system grants is no promise that the memory is there.
#pragma once

#include <cstdint>
#include <string>

namespace voxmark {

struct MemoryRoom {
  std::int64_t bytes = 0;
  std::string source;  // what set it: "MemAvailable", "cgroup limit", "memory limit"
};

// The smaller of MemAvailable and what the cgroup (v1 or v2), or one of its ancestors, has left:
// its limit less what is in use and cannot be dropped. `root` stands before /proc and /sys.
// Throws Error (internal) when /proc/meminfo cannot be read.
MemoryRoom memory_room(const std::string& root = "");

}  // namespace voxmark

#include "benches/process/memory_room.h"

#include <sys/sysinfo.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

#include "benches/process/cgroup.h"
#include "benches/process/process_status.h"

namespace voxmark {
namespace {

std::optional<std::string> read_text(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return std::nullopt;
  }
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Nothing for what is no number, or a negative one.
std::optional<std::int64_t> read_number(const std::string& path) {
  const std::optional<std::string> text = read_text(path);
  std::int64_t value = 0;
  if (!text ||
      std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc() ||
      value < 0) {
    return std::nullopt;
  }
  return value;
}

// "name value" lines.
std::int64_t stat_value(const std::string& path, const std::string& wanted) {
  std::ifstream file(path);
  std::string name;
  std::int64_t value = 0;
  while (file >> name >> value) {
    if (name == wanted) {
      return std::max<std::int64_t>(value, 0);
    }
  }
  return 0;
}

struct CgroupFiles {
  std::string mount;  // of the controller
  std::string limit, usage, inactive_file;
};

const CgroupFiles kVersion1{"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                            "memory.usage_in_bytes", "total_inactive_file"};
const CgroupFiles kVersion2{"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"};

std::optional<std::int64_t> left_in(const CgroupFiles& files, const std::string& folder) {
  const auto limit = memory_limit_bytes(read_text(folder + "/" + files.limit).value_or(""));
  if (!limit) {
    return std::nullopt;
  }
  const std::int64_t usage = read_number(folder + "/" + files.usage).value_or(0);
  // Cached file pages count as use, and are dropped when memory is wanted.
  const std::int64_t fixed =
      usage - std::min(usage, stat_value(folder + "/memory.stat", files.inactive_file));
  return *limit - std::min(*limit, fixed);
}

// From our cgroup up to the mount: any ancestor's limit binds. A path that is not there (seen from
// inside a container) is skipped.
std::optional<std::int64_t> left_up_to_mount(const CgroupFiles& files, const std::string& root,
                                             std::string path) {
  std::optional<std::int64_t> least;
  while (true) {
    const auto left = left_in(files, root + files.mount + path);
    if (left) {
      least = std::min(least.value_or(*left), *left);
    }
    if (path.empty()) {
      return least;
    }
    path.erase(path.find_last_of('/'));
  }
}

std::optional<std::int64_t> cgroup_left(const std::string& root) {
  const std::optional<std::string> text = read_text(root + "/proc/self/cgroup");
  for (const bool version1 : {true, false}) {
    // Where it is not told, of a container: the mount's own.
    const std::string path = cgroup_path(text.value_or(""), version1 ? "memory" : "").value_or("/");
    if (path.starts_with('/')) {
      const auto left = left_up_to_mount(version1 ? kVersion1 : kVersion2, root, path);
      if (left) {
        return left;
      }
    }
  }
  return std::nullopt;
}

// As the kernel reckons where it tells no MemAvailable: what is free, and what can be dropped. Of
// that a part is in use, so that this is an estimate from above.
std::optional<std::int64_t> free_and_caches(const std::string& meminfo) {
  const auto free = status_bytes(meminfo, "MemFree");
  if (!free) {
    return std::nullopt;
  }
  std::int64_t sum = *free;
  for (const char* name : {"Buffers", "Cached", "SReclaimable"}) {
    sum += status_bytes(meminfo, name).value_or(0);
  }
  return std::max(*free, sum - status_bytes(meminfo, "Shmem").value_or(0));  // not to be dropped
}

// Where /proc/meminfo tells nothing: the system call behind it.
std::int64_t free_by_sysinfo() {
  struct sysinfo facts = {};
  sysinfo(&facts);
  return static_cast<std::int64_t>(facts.freeram + facts.bufferram) *
         std::max<std::int64_t>(facts.mem_unit, 1);
}

MemoryRoom of_the_machine(const std::string& meminfo) {
  const std::int64_t total =
      status_bytes(meminfo, "MemTotal").value_or(std::numeric_limits<std::int64_t>::max());
  if (const auto available = status_bytes(meminfo, "MemAvailable")) {
    return {std::min(*available, total), "MemAvailable"};
  }
  if (const auto estimate = free_and_caches(meminfo)) {
    return {std::min(*estimate, total), "estimated: MemFree and caches, no MemAvailable"};
  }
  return {free_by_sysinfo(), "estimated: sysinfo(2), no /proc/meminfo"};
}

}  // namespace

std::optional<std::int64_t> memory_limit_bytes(const std::string& text) {
  constexpr std::int64_t kNoLimit = std::int64_t{1} << 62;  // no machine has so much
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  const bool is_number = error == std::errc() && (rest == end || *rest == '\n');
  if (!is_number || value < 0 || value >= kNoLimit) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> total_memory_bytes(const std::string& root) {
  return status_bytes(read_text(root + "/proc/meminfo").value_or(""), "MemTotal");
}

MemoryRoom memory_room(const std::string& root) {
  MemoryRoom room = of_the_machine(read_text(root + "/proc/meminfo").value_or(""));
  if (const auto left = cgroup_left(root); left && *left < room.bytes) {
    return {*left, "cgroup limit"};
  }
  return room;
}

}  // namespace voxmark

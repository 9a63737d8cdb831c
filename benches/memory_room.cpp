#include "benches/memory_room.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "benches/cgroup.h"
#include "benches/process_status.h"

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

// Nothing for "max" and for anything else that is no number.
std::optional<std::int64_t> read_number(const std::string& path) {
  const std::optional<std::string> text = read_text(path);
  std::int64_t value = 0;
  if (!text ||
      std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc()) {
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
      return value;
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
  const auto limit = read_number(folder + "/" + files.limit);
  const auto usage = read_number(folder + "/" + files.usage);
  if (!limit || !usage) {
    return std::nullopt;
  }
  // Cached file pages count as use, and are dropped when memory is wanted.
  const std::int64_t fixed =
      *usage - std::min(*usage, stat_value(folder + "/memory.stat", files.inactive_file));
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
    const auto path = text ? cgroup_path(*text, version1 ? "memory" : "") : std::nullopt;
    if (path && path->starts_with('/')) {
      const auto left = left_up_to_mount(version1 ? kVersion1 : kVersion2, root, *path);
      if (left) {
        return left;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

MemoryRoom memory_room(const std::string& root) {
  const std::optional<std::string> meminfo = read_text(root + "/proc/meminfo");
  const auto available = meminfo ? status_bytes(*meminfo, "MemAvailable") : std::nullopt;
  if (!available) {
    throw_internal("{}/proc/meminfo: no MemAvailable", root);
  }
  const auto left = cgroup_left(root);
  if (left && *left < *available) {
    return {*left, "cgroup limit"};
  }
  return {*available, "MemAvailable"};
}

}  // namespace voxmark

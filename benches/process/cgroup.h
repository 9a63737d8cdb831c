// Where the files of our own control group lie, in either version.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace voxmark {

// The path of our group in a text of /proc/self/cgroup: "4:memory:/a/b" (version 1, by controller),
// "0::/a/b" (version 2, controller "").
std::optional<std::string> cgroup_path(const std::string& text, std::string_view controller);

// A file of our group's controller ("cpu", "memory") and of the groups around it, innermost first,
// as far as they can be read: an outer group's limit binds too. From inside a container the mount
// itself may be all there is. `root` stands before /proc and /sys.
std::vector<std::string> cgroup_files(const std::string& controller, const std::string& file,
                                      const std::string& root = "");
// The innermost of them; "" where there is none.
std::string cgroup_file(const std::string& controller, const std::string& file,
                        const std::string& root = "");

// CPUs that the group and those around it grant at most: 1.5, say. Nothing where none sets a limit.
std::optional<double> cpu_quota(const std::string& root = "");

}  // namespace voxmark

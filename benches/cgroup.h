// Where the files of our own control group lie, in either version.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace voxmark {

// The path of our group in a text of /proc/self/cgroup: "4:memory:/a/b" (version 1, by controller),
// "0::/a/b" (version 2, controller "").
std::optional<std::string> cgroup_path(const std::string& text, std::string_view controller);

// A file of our group's controller ("cpu", "memory"), where it can be read: in version 1, in
// version 2, or at the mount itself, as it looks from inside a container. "" where there is none.
// `root` stands before /proc and /sys.
std::string cgroup_file(const std::string& controller, const std::string& file,
                        const std::string& root = "");

}  // namespace voxmark

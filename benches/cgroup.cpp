#include "benches/cgroup.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <vector>

namespace voxmark {

std::optional<std::string> cgroup_path(const std::string& text, std::string_view controller) {
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line)) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) {
      continue;
    }
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    if (controllers.find("," + std::string(controller) + ",") != std::string::npos) {
      return line.substr(second + 1);
    }
  }
  return std::nullopt;
}

std::string cgroup_file(const std::string& controller, const std::string& file,
                        const std::string& root) {
  std::ostringstream text;
  text << std::ifstream(root + "/proc/self/cgroup").rdbuf();
  const std::string mount = root + "/sys/fs/cgroup";
  std::vector<std::string> candidates;
  if (const auto path = cgroup_path(text.str(), controller)) {
    candidates.push_back(mount + "/" + controller + *path + "/" + file);
    candidates.push_back(mount + "/" + controller + "/" + file);
  }
  if (const auto path = cgroup_path(text.str(), "")) {
    candidates.push_back(mount + *path + "/" + file);
    candidates.push_back(mount + "/" + file);
  }
  for (const std::string& candidate : candidates) {
    if (access(candidate.c_str(), R_OK) == 0) {
      return candidate;
    }
  }
  return "";
}

}  // namespace voxmark

#include "benches/process/cgroup.h"

#include <unistd.h>

#include <algorithm>
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

std::vector<std::string> cgroup_files(const std::string& controller, const std::string& file,
                                      const std::string& root) {
  std::ostringstream text;
  text << std::ifstream(root + "/proc/self/cgroup").rdbuf();
  const std::string mount = root + "/sys/fs/cgroup";
  std::vector<std::string> files;
  const auto add_up_to = [&](const std::string& folder, std::string path) {
    while (true) {
      std::string candidate = folder + path + "/" + file;
      if (access(candidate.c_str(), R_OK) == 0) {
        files.push_back(std::move(candidate));
      }
      const std::size_t slash = path.find_last_of('/');
      if (slash == std::string::npos) {
        return;
      }
      path.erase(slash);
    }
  };
  if (const auto path = cgroup_path(text.str(), controller)) {
    add_up_to(mount + "/" + controller, *path == "/" ? "" : *path);
  }
  if (const auto path = cgroup_path(text.str(), "")) {
    add_up_to(mount, *path == "/" ? "" : *path);
  }
  if (files.empty()) {  // of a container, whose /proc/self/cgroup tells nothing
    add_up_to(mount + "/" + controller, "");
    add_up_to(mount, "");
  }
  return files;
}

std::optional<double> cpu_quota(const std::string& root) {
  std::optional<double> least;
  const auto add = [&least](double quota, double period) {
    if (quota > 0 && period > 0) {  // version 1 has -1 for none
      least = std::min(least.value_or(quota / period), quota / period);
    }
  };
  double quota = 0, period = 0;
  for (const std::string& file : cgroup_files("cpu", "cpu.max", root)) {
    if (std::ifstream(file) >> quota >> period) {  // "max 100000" is no number
      add(quota, period);
    }
  }
  constexpr std::string_view kQuota = "cpu.cfs_quota_us";
  for (const std::string& file : cgroup_files("cpu", std::string(kQuota), root)) {
    const std::string folder = file.substr(0, file.size() - kQuota.size());
    if (std::ifstream(file) >> quota && std::ifstream(folder + "cpu.cfs_period_us") >> period) {
      add(quota, period);
    }
  }
  return least;
}

std::string cgroup_file(const std::string& controller, const std::string& file,
                        const std::string& root) {
  const std::vector<std::string> files = cgroup_files(controller, file, root);
  return files.empty() ? "" : files.front();
}

}  // namespace voxmark

#include "benches/process/process_status.h"

#include <charconv>
#include <fstream>
#include <sstream>

namespace voxmark {

std::optional<std::int64_t> status_bytes(const std::string& status, const std::string& name) {
  std::istringstream lines(status);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.rfind(name + ":", 0) != 0 || !line.ends_with(" kB")) {
      continue;
    }
    constexpr std::int64_t kMost = std::int64_t{1} << 52;  // 4 EiB: more is no memory
    const std::size_t digits = line.find_first_not_of(" \t", name.size() + 1);
    std::int64_t kibibytes = 0;
    if (digits == std::string::npos ||
        std::from_chars(line.data() + digits, line.data() + line.size(), kibibytes).ec !=
            std::errc() ||
        kibibytes < 0 || kibibytes > kMost) {
      return std::nullopt;
    }
    return kibibytes * 1024;
  }
  return std::nullopt;
}

std::optional<std::int64_t> process_bytes(pid_t process, const std::string& name) {
  const std::string folder = process == 0 ? "self" : std::to_string(process);
  std::ifstream file("/proc/" + folder + "/status");
  std::ostringstream text;
  text << file.rdbuf();
  return status_bytes(text.str(), name);
}

bool reset_peak() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5";
  file.close();
  return file.good();
}

}  // namespace voxmark

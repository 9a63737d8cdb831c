#include "benches/threads/thread_placement.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

#include "base/error.h"

namespace voxmark {
namespace {

// Field 39 of stat(5). The name before it may hold blanks and parentheses.
std::optional<int> last_cpu(const std::string& task) {
  constexpr int kFieldsFromStateToCpu = 36;
  std::ifstream file(task + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) {
    return std::nullopt;
  }
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < kFieldsFromStateToCpu; ++i) {
    fields >> skipped;
  }
  int cpu = 0;
  return fields >> cpu ? std::optional(cpu) : std::nullopt;
}

std::optional<std::string> allowed(const std::string& task) {
  constexpr std::string_view kKey = "Cpus_allowed_list:\t";
  std::ifstream file(task + "/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with(kKey)) {
      return line.substr(kKey.size());
    }
  }
  return std::nullopt;
}

std::optional<double> cpu_seconds(const std::string& task) {
  std::ifstream file(task + "/schedstat");
  double nanoseconds = 0;
  return file >> nanoseconds ? std::optional(1e-9 * nanoseconds) : std::nullopt;
}

template <class Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

}  // namespace

Json thread_placement(const std::string& task_folder) {
  std::set<int> threads;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(task_folder, failure)) {
    const std::string name = entry.path().filename();
    int thread = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), thread).ec == std::errc()) {
      threads.insert(thread);
    }
  }
  Json placement = Json::array();
  for (const int thread : threads) {
    const std::string task = fmt::format("{}/{}", task_folder, thread);
    placement.push_back({{"cpu", or_null(last_cpu(task))},
                         {"allowed", or_null(allowed(task))},
                         {"cpu_seconds", or_null(cpu_seconds(task))}});
  }
  return placement;
}

}  // namespace voxmark

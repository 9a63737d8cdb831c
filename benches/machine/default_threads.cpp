#include "benches/machine/default_threads.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string_view>

#include "base/number_text.h"
#include "benches/machine/environment.h"
#include "benches/process/cgroup.h"

namespace voxmark {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  return begin == std::string_view::npos
             ? ""
             : text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

// The first of a list with commas. Nothing unless it is a number from 1; one that no int holds is
// the largest int.
std::optional<int> first_count(std::string_view text) {
  constexpr int kMost = std::numeric_limits<int>::max();
  const std::string_view first = trimmed(text.substr(0, text.find(',')));
  std::int64_t count = 0;
  for (const char digit : first) {
    if (std::isdigit(static_cast<unsigned char>(digit)) == 0) {
      return std::nullopt;
    }
    count = std::min<std::int64_t>(10 * count + (digit - '0'), kMost);
  }
  return count < 1 ? std::nullopt : std::optional(static_cast<int>(count));
}

bool is_true(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return trimmed(text) == "true";
}

}  // namespace

DefaultThreads default_threads(const ThreadBounds& bounds) {
  DefaultThreads result;
  result.threads = bounds.cpus;
  std::string bound_by;
  const auto bound = [&](const char* name, const std::string& text, bool is_wish) {
    const std::optional<int> count = first_count(text);
    if (trimmed(text).empty()) {
      return;
    }
    if (!count) {
      result.notes.push_back(
          fmt::format("{}={}: not followed: expected a number from 1", name, text));
    } else if (*count < result.threads) {
      result.threads = *count;
      bound_by = fmt::format("{}={}", name, text);
    } else if (is_wish && *count > bounds.cpus) {
      result.notes.push_back(fmt::format("{}={}: not followed: this process may run on {}", name,
                                         text, counted(bounds.cpus, "CPU")));
    }
  };
  if (bounds.cpu_quota && *bounds.cpu_quota < result.threads) {
    result.threads = std::max(1, static_cast<int>(std::ceil(*bounds.cpu_quota)));
    bound_by = fmt::format("a CPU quota of {:.3g}", *bounds.cpu_quota);
    if (result.threads > *bounds.cpu_quota) {
      result.notes.push_back(
          fmt::format("a CPU quota of {:.3g} stops {} threads in the middle of a step at times",
                      *bounds.cpu_quota, result.threads));
    }
  }
  bound("OMP_NUM_THREADS", bounds.omp_num_threads, true);
  bound("OMP_THREAD_LIMIT", bounds.omp_thread_limit, false);
  if (!bound_by.empty()) {
    result.notes.insert(result.notes.begin(),
                        fmt::format("threads: {}, by {}, of {}; --threads takes another "
                                    "number",
                                    result.threads, bound_by, counted(bounds.cpus, "CPU")));
  }
  if (is_true(bounds.omp_dynamic)) {
    result.notes.push_back(fmt::format(
        "OMP_DYNAMIC={}: not followed: the number of threads stays the same", bounds.omp_dynamic));
  }
  return result;
}

DefaultThreads default_threads() {
  return default_threads({allowed_cpus(), variable("OMP_NUM_THREADS"), variable("OMP_THREAD_LIMIT"),
                          variable("OMP_DYNAMIC"), cpu_quota()});
}

}  // namespace voxmark

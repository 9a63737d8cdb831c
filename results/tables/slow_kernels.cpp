#include "results/tables/slow_kernels.h"

#include <fmt/format.h>

#include <map>

namespace voxmark {

std::string slow_kernels(const Record& record) {
  std::map<std::string, std::pair<int, std::string>> found;  // stages, and the first one's op
  for (const StageRecord& stage : record.stages) {
    if (stage.is_slow()) {
      auto& [count, op] = found[stage.implementation];
      if (++count == 1 && !stage.ops.empty()) {
        op = stage.ops.front();
      }
    }
  }
  std::string text;
  for (const auto& [kernel, stages] : found) {
    text += fmt::format("{}{} of {} stages run by {} (first {})", text.empty() ? "" : "; ",
                        stages.first, record.stages.size(), kernel, stages.second);
  }
  return text.empty() ? "" : "slow kernels: " + text;
}

}  // namespace voxmark

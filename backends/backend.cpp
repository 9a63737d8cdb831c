#include "backends/backend.h"

namespace voxmark {

std::int64_t MemoryPlan::total_bytes() const {
  std::int64_t sum = 0;
  for (const auto& [purpose, count] : bytes) {
    sum += count;
  }
  return sum;
}

}  // namespace voxmark

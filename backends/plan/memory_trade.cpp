#include "backends/plan/memory_trade.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace voxmark {

std::vector<MemoryPlan> memory_trade_off(const Backend& backend, const Program& program,
                                         CompileOptions options) {
  const auto plan_within = [&](std::optional<std::int64_t> bytes) {
    options.memory_limit_bytes = bytes;
    return backend.plan(program, options);
  };
  constexpr int kBetween = 3;
  std::vector<MemoryPlan> plans = {plan_within(std::numeric_limits<std::int64_t>::max()),
                                   plan_within(std::nullopt), plan_within(1)};
  const std::int64_t most = plans[1].total_bytes(), least = plans[2].total_bytes();
  for (int i = 1; i <= kBetween && most > least; ++i) {
    plans.push_back(plan_within(least + (most - least) * i / (kBetween + 1)));
  }
  std::ranges::sort(plans, {}, [](const MemoryPlan& plan) {
    return std::pair(-plan.total_bytes(), plan.extra_time_share);
  });
  const auto is_same = [](const MemoryPlan& a, const MemoryPlan& b) {
    return a.total_bytes() == b.total_bytes();
  };
  plans.erase(std::unique(plans.begin(), plans.end(), is_same), plans.end());
  return plans;
}

}  // namespace voxmark

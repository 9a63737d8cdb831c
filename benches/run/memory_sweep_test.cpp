#include "benches/run/memory_sweep.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "backends/registry/registry.h"
#include "benches/protocol/case_work.h"

namespace voxmark {
namespace {

CaseSpec case_of(const std::string& backend) {
  CaseSpec spec;
  spec.backend = backend;
  spec.image = {48, 48, 48};
  return spec;
}

TEST(MemorySweep, HasNoLimitsWhereThereIsNothingToTrade) {
  EXPECT_TRUE(limits_to_sweep(case_of("naive")).empty());
  EXPECT_TRUE(limits_to_sweep(case_of("exec:./mine")).empty());
}

TEST(MemorySweep, HasALimitForEachPlanWhichThePlanKeeps) {
  if (find_backend("onednn").backend == nullptr) {
    GTEST_SKIP() << "onednn is not built";
  }
  CaseSpec spec = case_of("onednn");
  const std::vector<std::int64_t> limits = limits_to_sweep(spec);
  ASSERT_GE(limits.size(), 3U);
  EXPECT_TRUE(std::ranges::is_sorted(limits, std::ranges::greater()));
  for (const std::int64_t bytes : limits) {
    spec.memory_limit_bytes = bytes;
    const MemoryPlan plan =
        find_backend("onednn").backend->plan(training_program(spec), compile_options(spec));
    EXPECT_LE(plan.total_bytes() + harness_bytes(spec), bytes);
  }
}

}  // namespace
}  // namespace voxmark

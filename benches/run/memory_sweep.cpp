#include "benches/run/memory_sweep.h"

#include "backends/plan/memory_trade.h"
#include "backends/registry/registry.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/contender.h"

namespace voxmark {

std::vector<std::int64_t> limits_to_sweep(const CaseSpec& spec) {
  const Backend* backend =
      plans_memory(spec.backend) ? find_backend(spec.backend).backend : nullptr;
  if (backend == nullptr) {
    return {};
  }
  const Program program = training_program(spec);
  const CompileOptions options = compile_options(spec);
  std::vector<std::int64_t> limits;
  if (!backend->unsupported(program, options)) {
    for (const MemoryPlan& plan : memory_trade_off(*backend, program, options)) {
      limits.push_back(plan.total_bytes() + harness_bytes(spec));
    }
  }
  return limits.size() > 1 ? limits : std::vector<std::int64_t>{};
}

}  // namespace voxmark

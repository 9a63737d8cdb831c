#include "tools/voxmark/step_plans.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "backends/plan/keeps_everything.h"
#include "backends/plan/memory_trade.h"
#include "base/error.h"
#include "base/number_text.h"
#include "benches/machine/environment.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/contender.h"
#include "benches/suite/suite.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

// What computing tensors again makes fit where the plan as asked for does not.
void plan_within(const Backend& backend, const Program& program, CaseSpec spec,
                 std::int64_t bound_bytes, BackendPlan& own) {
  own.limit = limit_text(bound_bytes);
  spec.memory_limit_bytes = parse_bytes(own.limit, "--memory-limit");
  MemoryPlan plan = backend.plan(program, compile_options(spec));
  if (needed_bytes(plan, spec) <= *spec.memory_limit_bytes) {
    plan.exact = plan.exact && own.plan.exact;
    own.limited = std::move(plan);
  }
}

std::vector<BackendPlan> plan_backends(const PlanOptions& options, const Program& program,
                                       std::int64_t bound_bytes, bool is_elsewhere) {
  const CaseSpec spec = asked_case(options);
  const CompileOptions compile = compile_options(spec);
  std::vector<BackendPlan> plans;
  for (const RegisteredBackend& entry : asked_backends(options)) {
    BackendPlan own;
    own.backend = entry.name;
    own.reason = obstacle(entry, program, compile);
    if (own.reason.empty()) {
      own.plan = entry.backend->plan(program, compile);
      own.plan.exact = is_exact(entry.name, own.plan, is_elsewhere);
      own.fits = needed_bytes(own.plan, spec) <= bound_bytes;
      own.trades = memory_trade_off(*entry.backend, program, compile);
      if (own.trades.size() == 1) {
        own.trades.clear();
      }
      if (!own.fits) {
        plan_within(*entry.backend, program, spec, bound_bytes, own);
      }
    }
    plans.push_back(std::move(own));
  }
  return plans;
}

// The options of each number of ranks.
std::vector<PlanOptions> by_ranks(const PlanOptions& options) {
  const CaseField& field = *find_case_field("ranks");
  std::vector<PlanOptions> all;
  for (const std::string& count : options.rank_counts) {
    all.push_back(options);
    all.back().ranks = parse_value(field, count, "--ranks").get<int>();
  }
  if (all.empty()) {
    all.push_back(options);
  }
  for (PlanOptions& own : all) {
    if (options.global_batch > 0) {
      own.model.batch = batch_of_rank(options.global_batch, own.ranks);
    }
  }
  return all;
}

}  // namespace

CaseSpec asked_case(const PlanOptions& options) {
  CaseSpec spec;
  spec.image = parse_dims(options.model.image);
  spec.batch = options.model.batch;
  spec.network = options.model.unet;
  spec.precision = parse_precision(options.precision);
  spec.threads = options.threads;
  spec.ranks = options.ranks;
  if (!options.memory_limit.empty()) {
    spec.memory_limit_bytes = parse_bytes(options.memory_limit, "--memory-limit");
  }
  return spec;
}

std::int64_t needed_bytes(const MemoryPlan& plan, const CaseSpec& spec) {
  return plan.total_bytes() + harness_bytes(spec);
}

std::vector<RegisteredBackend> asked_backends(const PlanOptions& options) {
  std::vector<RegisteredBackend> result;
  for (const std::string& name : options.backends) {
    if (name == kKeepsEverything) {
      result.push_back({kKeepsEverything, &keeps_everything_backend(), ""});
      continue;
    }
    if (!plans_memory(name)) {
      throw_bad_input(
          "--backend {}: a program outside of voxmark; voxmark run measures what it takes; to plan "
          "a framework by arithmetic: --backend {}",
          name, kKeepsEverything);
    }
    result.push_back(find_backend(name, kKeepsEverything));
  }
  if (options.backends.empty()) {
    for (const RegisteredBackend& entry : registered_backends()) {
      if (entry.backend == nullptr || entry.backend->computes()) {
        result.push_back(entry);
      }
    }
  }
  return result;
}

bool is_exact(const std::string& backend, const MemoryPlan& plan, bool is_elsewhere) {
  return plan.exact && (!is_elsewhere || backend == kKeepsEverything);
}

MemoryRoom room_of(const PlanOptions& options) {
  if (options.memory.empty()) {
    return memory_room();
  }
  return {parse_bytes(options.memory, "--memory"), "--memory"};
}

bool of_another_machine(const PlanOptions& options, std::int64_t asked_bytes) {
  const std::int64_t own_bytes =
      static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  return options.threads > allowed_cpus() || asked_bytes > own_bytes;
}

int ranks_of_host(const PlanOptions& options) {
  return options.network.empty() ? options.ranks : 1;
}

std::int64_t bound_of(const PlanOptions& options, const MemoryRoom& room) {
  const std::int64_t share = room.bytes / ranks_of_host(options);
  return options.memory_limit.empty()
             ? share
             : std::min(share, parse_bytes(options.memory_limit, "--memory-limit"));
}

std::vector<RankedPlans> ranked_plans(const PlanOptions& options, const MemoryRoom& room) {
  std::vector<RankedPlans> all;
  for (const PlanOptions& own : by_ranks(options)) {
    const Program program = lower_model(own.model, Mode::training);
    all.push_back({own, harness_bytes(asked_case(own)),
                   plan_backends(own, program, bound_of(own, room),
                                 of_another_machine(own, own.memory.empty() ? 0 : room.bytes))});
  }
  return all;
}

}  // namespace voxmark

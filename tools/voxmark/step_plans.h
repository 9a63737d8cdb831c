// The plans of a step by backends and by numbers of ranks, as the flags of `voxmark plan` ask for
// them. Prints nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backends/registry/registry.h"
#include "benches/process/memory_room.h"
#include "tools/voxmark/model_options.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

struct PlanOptions {
  ModelOptions model;
  std::vector<std::string> backends;
  std::string precision = "fp32";
  int threads = 1;
  std::vector<std::string> rank_counts;   // as people write them
  int ranks = 1;                          // of the step at hand
  std::int64_t global_batch = 0;          // 0: not given
  std::string memory, memory_limit, fit;  // bytes as people write them; empty: not given
  bool table = false, json = false, by_layer = false;
  std::string network, from;  // of ranks that are not there; empty: not given
  std::string csv;            // a file, or kStandardOutput
};

struct BackendPlan {
  std::string backend;
  std::string reason;  // why there is no plan; empty when there is one
  MemoryPlan plan;
  bool fits = false;                  // together with the batch
  std::vector<MemoryPlan> trades;     // time for memory; empty when there is nothing to trade
  std::optional<MemoryPlan> limited;  // within --memory-limit `limit`, where `plan` does not fit
  std::string limit;
};

// Of a number of ranks: what each of them plans.
struct RankedPlans {
  PlanOptions options;
  std::int64_t batch_bytes = 0;
  std::vector<BackendPlan> plans;
};

// What the flags ask for, as a case of `voxmark run`: a limit on memory means the same there.
CaseSpec asked_case(const PlanOptions& options);
// Throws Error (bad_input) naming --backend.
std::vector<RegisteredBackend> asked_backends(const PlanOptions& options);

// Of a plan and the batch beside it.
std::int64_t needed_bytes(const MemoryPlan& plan, const CaseSpec& spec);
// A plan is exact for this machine: another's scratchpads differ by its instruction set and its
// number of threads. Arithmetic is the same everywhere.
bool is_exact(const std::string& backend, const MemoryPlan& plan, bool is_elsewhere);
// More than this machine has. `asked_bytes` of memory: 0 where none were named.
bool of_another_machine(const PlanOptions& options, std::int64_t asked_bytes);

MemoryRoom room_of(const PlanOptions& options);
// Those that share its memory: all, or on a network that is not there one.
int ranks_of_host(const PlanOptions& options);
// What the plan of a rank has to stay below.
std::int64_t bound_of(const PlanOptions& options, const MemoryRoom& room);

// Of every number of ranks that was asked for, in that order.
std::vector<RankedPlans> ranked_plans(const PlanOptions& options, const MemoryRoom& room);

}  // namespace voxmark

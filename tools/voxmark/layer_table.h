// voxmark plan --by-layer: what a step's memory and work are made of, as a table, CSV and JSON.
#pragma once

#include <span>
#include <string>

#include "backends/plan/plan_by_layer.h"
#include "base/json.h"
#include "results/tables/table.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

struct LayeredPlan {
  std::string backend;
  PlanByLayer layers;
  bool exact = true;
  double extra_time_share = 0;
};

// A row per layer, the names those of Keras' model.summary(), and a last row with the sums.
Table layer_table(const LayeredPlan& plan);
// The lines above it and below it: what is told, and how to read it.
std::string layer_heading(const CaseSpec& spec, const LayeredPlan& plan);
std::string layer_legend(const LayeredPlan& plan);

// A header line, then a line per backend and layer; bytes and FLOPs as numbers. Names here hold
// neither commas nor quotes, but for a type, which is quoted.
std::string layer_csv(std::span<const LayeredPlan> plans);

// results/plan_by_layer.schema.json
Json layer_json(const CaseSpec& spec, std::span<const LayeredPlan> plans);

}  // namespace voxmark

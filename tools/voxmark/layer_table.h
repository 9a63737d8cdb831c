// voxmark plan --by-layer: what a step's memory and work are made of, as a table, CSV and JSON.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "backends/plan/plan_by_layer.h"
#include "base/json.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

struct LayeredPlan {
  std::string backend;
  PlanByLayer layers;
  bool exact = true;
  double extra_time_share = 0;
};

// A row per layer, the names those of Keras' model.summary(), and a last row with the sums; above
// it what is told, below it how to read it. No wider than a terminal of so many columns, of which
// it needs 60; without one, a row is one line.
std::string layer_text(const CaseSpec& spec, const LayeredPlan& plan,
                       std::optional<std::size_t> terminal_columns);

// A header line, then a line per backend and layer; bytes and FLOPs as numbers. Names here hold
// neither commas nor quotes, but for a type, which is quoted.
std::string layer_csv(std::span<const LayeredPlan> plans);

// results/plan_by_layer.schema.json
Json layer_json(const CaseSpec& spec, std::span<const LayeredPlan> plans);

}  // namespace voxmark

// The programs that compute the same step, from the kernels of the paper's time on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/claims/claims.h"
#include "results/tables/measured_cases.h"
#include "results/tables/table.h"

namespace voxmark {

struct Generation {
  std::string backend, meaning;
  std::optional<double> step_seconds;
  std::optional<Ratio> times;  // as fast as the first; nothing of the first itself
  std::optional<double> page_faults;
  std::optional<double> peak_bytes_per_voxel;  // of the whole process
};

// All at one shape: the one that most of them were measured at, then the largest. Without rows
// where fewer than two were measured at any.
struct Generations {
  std::string shape;
  std::vector<Generation> rows;
};
Generations generations(const Claims& claims, const Report& report);

Table generations_table(const Generations& generations);
Json to_json(const Generations& generations);

}  // namespace voxmark

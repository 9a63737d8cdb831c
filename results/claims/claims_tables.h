// What `voxmark reproduce` prints: verdicts, where the factor comes from, what a step costs,
// memory.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "results/claims/claims.h"
#include "results/claims/memory_line.h"
#include "results/tables/table.h"

namespace voxmark {

// A row per finding of the paper's own claims.
Table findings_table(std::span<const Finding> findings);
// The derived ones: the same comparison by other pairs, without a verdict.
Table derived_table(std::span<const Finding> findings);

// Where the factor comes from: the links of the chain, all at the largest shape that every link
// has, in wall and CPU time, and last their product beside what the two ends measure. Without rows
// where no shape has all links; `shape` then says what is missing.
struct Factors {
  Table table;
  std::string shape;
};
Factors factors(const Claims& claims, const Report& report);

// Where a step's time goes at one shape ("64x64x64 b1"): seconds, those of convolutions and of all
// else (from a step that was observed), CPU time, page faults.
Table cost_table(const Report& report, const std::string& shape);
// The paper's figures 3 and 5: bytes planned and measured, by backend and image size, in fp32.
Table plan_table(const Report& report);
// The paper's table 2, for every backend of which there is a line.
Table memory_table(std::span<const MemoryLine> lines, std::span<const ServerStep> steps);

// All of these, each table as `render` makes it.
std::string render_details(const Claims& claims, const Report& report,
                           std::span<const Finding> findings,
                           const std::function<std::string(const Table&)>& render);

// "26.1 GB", "26.1 GB (25..27)"
std::string gigabytes_text(double bytes);
std::string gigabytes_text(const Interval& bytes);

}  // namespace voxmark

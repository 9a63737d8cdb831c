// The table that a run ends with: one row per case, with what a reader needs to judge it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "results/tables/summary.h"
#include "results/tables/table.h"

namespace voxmark {

// With a baseline backend, a column tells how many times faster forward and backward are than that
// backend's row of the same workload. What all cases share (precision, threads, ...) is left out.
// Where a case has copies, a column tells the images per second of all of them together.
// Where a case was run on several numbers of threads, two columns tell how many times faster a step
// is than on the fewest, and the efficiency. A row without a figure shows "-" and, in its last
// column, why.
Table case_table(std::span<const CaseSummary> cases,
                 const std::optional<std::string>& baseline_backend);

// "2.41x (2.30..2.52)"
std::string speed_up_text(const CaseSummary& baseline, const CaseSummary& other,
                          const Spread& speed_up);

}  // namespace voxmark

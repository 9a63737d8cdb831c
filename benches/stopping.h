// When a case has been measured by enough processes. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "benches/case_spec.h"
#include "results/record.h"

namespace voxmark {

struct StoppingRule {
  // Half the width of the 95% interval of the median over processes, as a fraction of the median.
  // None: as many processes as were asked for, and no more.
  std::optional<double> precision_target;
  std::optional<double> time_budget_seconds;  // of the run; no new process is started after it
  int max_processes = 50;
};

// Of the median of a sample, by its order statistics: no distribution is assumed. Nothing below six
// values, the first count whose range covers the median with 95%.
struct MedianInterval {
  double low = 0;
  double high = 0;
};
std::optional<MedianInterval> median_interval(std::vector<double> values);

// Half the interval's width over the median; nothing where there is no interval.
std::optional<double> relative_precision(const std::vector<double>& values);

// The cases, one more process each, that the rule wants after `records`: measured ones whose
// forward and backward seconds are not yet known to the target. `cases` tells which there are.
std::vector<CaseSpec> next_processes(const StoppingRule& rule, const std::vector<CaseSpec>& cases,
                                     std::span<const Record> records);

}  // namespace voxmark

// When a case has been measured by enough processes. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "results/record.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

struct StoppingRule {
  // Half the width of the 95% interval of the median over processes, as a fraction of the median.
  std::optional<double> precision_target;
  // Of the run: after it no process starts beyond those that were asked for. Without a target it is
  // filled with processes. Neither: as many processes as were asked for, and no more.
  std::optional<double> time_budget_seconds;
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

// The cases, one more process each, that the rule wants after `records`, whatever the time:
// measured ones whose forward and backward seconds, of the processes that decide
// (results/tables/deciding.h), are not yet known to the target, or where there is none, all of
// them. `cases` tells which there are.
std::vector<CaseSpec> next_processes(const StoppingRule& rule, const std::vector<CaseSpec>& cases,
                                     std::span<const Record> records);

}  // namespace voxmark

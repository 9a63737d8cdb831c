// Aggregates, always derived from the raw samples of records: nothing here is ever stored.
//
// The process is the sample, not the step: a case measured by several processes is the median of
// their medians, and its spread is theirs. With one process only the steps' spread is known.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "results/record.h"

namespace voxmark {

struct Spread {
  double median = 0;
  double minimum = 0;
  double maximum = 0;
};

// Of at least one value. The median of an even count is the mean of the two in the middle.
Spread spread_of(std::vector<double> values);

// Seconds of the steps that count, of one process or of all its copies.
std::vector<double> timed_seconds(const Record& record, double StepTimes::* member);

// What a process says of its step: the median of those that count. Of copies: as many as there are
// over the sum of their rates, so that the images per second of all together follow from it; where
// they are alike this is the median, too. Nothing where no step counts.
std::optional<double> process_seconds(const Record& record, double StepTimes::* member);

// One case over all of its processes.
struct CaseSummary {
  Json spec = Json::object();         // without "process"
  Outcome outcome = Outcome::failed;  // ok when a process is and none got wrong numbers
  std::string note;                   // reasons: why there is no figure, or what did not go well
  int processes = 0;                  // measured, and not left out
  int steps = 0;                      // measured in all of them, without warm-up
  int disturbed = 0;                  // processes measured beside something else that ran
  int left_out = 0;                   // of them, those that do not count: results/tables/deciding.h

  // Of process_seconds(), or of the steps when processes == 1.
  std::optional<Spread> forward_backward_seconds;
  std::optional<Spread> step_seconds;

  std::optional<double> forward_backward_seconds_per_image;  // of the median
  // Of all copies together, by the median step; nothing where they did not run side by side.
  std::optional<double> images_per_second;
  std::optional<double>
      flops_per_second;  // nominal FLOPs of a step over its median seconds, in sum
  // What the machine's measured limits allow at best, over the median step; of the records' own
  // roofline.
  std::optional<double> roofline_share;
  std::optional<std::uint64_t> planned_bytes;
  std::optional<std::uint64_t> peak_bytes;  // the largest of the processes'
};

// In the order in which the cases first appear. A case with a process whose numbers were wrong
// (invalid, diverged) has no times; one with a process that ended otherwise keeps the others'.
// Times are those of the processes that decide (results/tables/deciding.h); memory is that of all.
std::vector<CaseSummary> summarise(std::span<const Record> records);

// How many times faster than the baseline forward and backward are: the ratio of the medians as
// Spread::median, and the range that the two spreads allow. Nothing unless both cases are ok and
// differ in nothing but the backend.
std::optional<Spread> speed_up(const CaseSummary& baseline, const CaseSummary& other);

// What more threads give: of the step's median.
struct Scaling {
  double speed_up = 1;
  double efficiency = 1;  // the speed-up over that of threads that lose nothing
};

// Against the case with the fewest threads among those of `cases` that are ok and differ from `own`
// in nothing else. Nothing where there is no other number of threads, or `own` is not ok.
std::optional<Scaling> scaling(std::span<const CaseSummary> cases, const CaseSummary& own);

}  // namespace voxmark

// What several ranks give, and where their time goes: cases that differ in ranks, threads and
// images per step alone, beside the one with the fewest ranks.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "results/record.h"
#include "results/tables/summary.h"

namespace voxmark {

// Medians over ranks and processes, in seconds of a step.
struct RankTimesSummary {
  double exposed = 0;     // nothing was computed: statistics + loss + gradients
  double statistics = 0;  // of batch norms
  double loss = 0;
  double gradients = 0;
  double slower_rank = 0;  // of the exposed: until the last rank came; the rest is the wire's
  double hidden = 0;       // messages of gradients behind the backward pass
  double bytes_sent = 0;   // by each rank
};

struct RankRow {
  Json spec = Json::object();  // of the case, without "process"
  double images_per_step = 0;  // of all ranks
  Spread step_seconds;
  double images_per_second = 0;
  // Of images per second, over the first row of its group: the ratio of the medians, and the range
  // that the two spreads allow; and by how many times as many threads. 1 in the first row.
  Spread speed_up{1, 1, 1};
  double efficiency = 1;
  std::optional<RankTimesSummary> times;  // of several ranks
  std::optional<double> model_seconds;    // of the step, predicted; the median of the processes
};

// By group, whose first row has the fewest ranks, then the fewest threads. Only groups with a case
// of several ranks.
std::vector<std::vector<RankRow>> rank_rows(std::span<const Record> records);

// A table per group; "" where there is none.
std::string render_rank_rows(std::span<const std::vector<RankRow>> groups);

}  // namespace voxmark

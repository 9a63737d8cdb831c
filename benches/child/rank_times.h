// Where the time of the steps of several ranks goes.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/json.h"
#include "benches/child/rank_group.h"
#include "benches/protocol/protocol.h"

namespace voxmark {

// A step of one rank.
struct RankStep {
  double seconds = 0;
  ExchangeTimes exchange;
  double slower_rank = 0;  // of what it waited: for others to come
  double messages = 0;     // of gradients, once all ranks had them ready
  double hidden = 0;       // of these, while ranks computed
};
// `waits` and `messages`: own.waits and own.messages of all ranks, one rank behind the other.
RankStep rank_step(double seconds, ExchangeTimes own, std::span<const double> waits,
                   std::span<const double> messages);

// step_seconds of all ranks: the first one that took longest.
std::size_t slowest_rank(std::span<const double> step_seconds);

class RankTimes {
 public:
  // Behind a step, by all ranks: books it, unless it was a warm-up step, and makes its seconds and
  // its readings those of the slowest rank.
  void take(StepMessage& step, RankGroup& group);

  // Of each timed step, the rank that is told.
  const std::vector<std::size_t>& slowest() const { return slowest_; }

  // Of this rank, in seconds, the median of the timed steps: `step_seconds`; exposed, in which it
  // computed nothing: `statistics_seconds`, `loss_seconds`, `gradients_seconds`, and of these
  // `slower_rank_seconds`, waiting for another one to come, the rest being on the wire;
  // `gradient_message_seconds` that gradients took once all ranks had them ready, and
  // `hidden_seconds` of these, behind which ranks computed; `bytes_sent`.
  Json of_rank() const;

 private:
  std::vector<RankStep> steps_;
  std::vector<std::size_t> slowest_;
};

}  // namespace voxmark

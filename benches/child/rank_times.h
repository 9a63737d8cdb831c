// Where the time of the steps of several ranks goes.
#pragma once

#include <vector>

#include "base/json.h"
#include "benches/child/rank_group.h"
#include "benches/protocol/protocol.h"

namespace voxmark {

class RankTimes {
 public:
  // Behind a step, by all ranks: books it, unless it was a warm-up step, and makes its seconds
  // those of the slowest rank.
  void take(StepMessage& step, RankGroup& group);

  // Of this rank, in seconds, the median of the timed steps: `step_seconds`; exposed, in which it
  // computed nothing: `statistics_seconds`, `loss_seconds`, `gradients_seconds`, and of these
  // `slower_rank_seconds`, waiting for another one to come, the rest being on the wire;
  // `gradient_message_seconds` that gradients took once all ranks had them ready, and
  // `hidden_seconds` of these, behind which ranks computed; `bytes_sent`.
  Json of_rank() const;

 private:
  struct Step {
    double seconds = 0;
    ExchangeTimes exchange;
    double slower_rank = 0;
    double messages = 0, hidden = 0;
  };
  std::vector<Step> steps_;
};

}  // namespace voxmark

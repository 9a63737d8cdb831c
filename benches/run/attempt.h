// One try of a process that is timed, or of its copies at once, and what disturbed it.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "benches/exchange/exchange.h"
#include "results/record_facts.h"

namespace voxmark {

struct Attempt {
  std::vector<Exchange> copies;
  double canary_seconds = 0;
  std::size_t tainted_steps = 0;
  std::size_t steps = 0;  // timed, of all copies
  std::set<std::string> reasons;
  bool whole_process = false;  // a reason that is no single step's
  double lost_fraction = 0;    // of its time, by all that is seen

  // The one that failed, or the first.
  const Exchange& timed() const;
  bool is_tainted() const;
  // Less is better: a process that is not tainted, then the one of which less was taken away.
  std::pair<bool, double> disturbance() const { return {is_tainted(), lost_fraction}; }

  // A reason that is no single step's, where there is one.
  void taint_whole(std::optional<std::string> reason);
  // By the readings of the timed steps.
  void judge_steps(const CaseSpec& spec);

  Disturbance disturbed() const;
  // Of an attempt that another one was preferred to.
  DiscardedTry discarded() const;
};

}  // namespace voxmark

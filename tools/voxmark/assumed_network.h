// What `voxmark plan --network` says of ranks on a network that is not there: a model, by
// arithmetic, and by a report of this machine's step where there is one.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "results/report.h"
#include "tools/voxmark/step_plans.h"

namespace voxmark {

struct NetworkFlag {
  double latency_seconds = 0;
  double bytes_per_second = 0;  // that a rank sends, and as many that it receives meanwhile
};

// "2us,100Gbit/s": of latency ns, us, ms or s; of bandwidth kbit/s, Mbit/s, Gbit/s, kB/s, MB/s or
// GB/s. Throws Error (bad_input) naming --network and what is wrong.
NetworkFlag parse_network(const std::string& text);

// Of the ranks of `ranked`: `exchange`, by kind the `times`, `bytes` (of each rank, all times) and
// `seconds` on the wire; `steps`, by backend the step of one rank in `report` and the predicted one
// with its efficiency, or the reason why there is none.
Json network_plan(const RankedPlans& ranked, const NetworkFlag& network,
                  const std::optional<Report>& report);

// The same for people; says that it is a model.
std::string network_text(const RankedPlans& ranked, const Json& plan, const std::string& network);

}  // namespace voxmark

// What a child does in each mode, as functions of a backend and a case.
#pragma once

#include <functional>
#include <string>

#include "backends/backend.h"
#include "benches/child/child.h"
#include "benches/child/rank_group.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/protocol.h"

namespace voxmark {

using SendMessage = std::function<void(const Message&)>;  // to who asked

// The bytes that the case will allocate; allocates none of them.
void plan_case(const Backend& backend, const CaseSpec& spec, const SendMessage& send);

// One step against naive in double, at verification_shape(request.spec). `group`: of a case with
// several ranks, who all call this; only the first rank's messages are sent.
void verify_case(const Backend& backend, const Request& request, RankGroup* group,
                 const SendMessage& send);

// What an external program left in `request.results_path`, started from the weights and the batch
// that verification_files() wrote for it, against the same reference.
void check_case(const Request& request, const SendMessage& send);

// Warm-up and timed steps, then steps that are counted or watched stage by stage. The only function
// that times anything. Of several ranks the slowest one's seconds are the step's. `await_start`
// returns when the steps may begin.
void time_case(const Backend& backend, const CaseSpec& spec, const Extras& extras, RankGroup* group,
               const std::function<void()>& await_start, const SendMessage& send);

}  // namespace voxmark

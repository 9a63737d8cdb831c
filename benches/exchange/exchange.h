// One exchange with a child process: the request in, its messages out, and what became of it.
// The only place where a child's end becomes an outcome.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "benches/exchange/rank_children.h"
#include "benches/protocol/protocol.h"
#include "benches/threads/thread_places.h"
#include "results/record.h"

namespace voxmark {

struct ChildProgram {
  std::vector<std::string> command;      // of voxmark's own backends
  std::vector<std::string> environment;  // "NAME=VALUE", beside the runner's own
  // Of each child's threads, in place of what `environment` says of them. Nothing: that stays.
  std::optional<ThreadBinding> binding = std::nullopt;
  // Of cases with several ranks, which are not started without it.
  std::optional<RankSettings> ranks = std::nullopt;
  double patience_seconds = 900;      // between two messages; after it the child hangs
  double exit_patience_seconds = 60;  // a child has nothing left to do once its input is closed
};

struct Exchange {
  // Nothing: the child did all that was asked.
  std::optional<Outcome> fault;
  std::string reason;  // of the fault
  // Whose the fault is: ours, an outside program's (answer_is_no), the user's (bad_input) or the
  // machine's (cannot_here).
  ExitCode code = ExitCode::internal;
  bool interrupted = false;  // we were asked to stop; nothing is known of the case

  std::optional<PlannedMessage> planned;
  std::optional<VerifiedMessage> verified;
  std::optional<ComputedMessage> computed;
  std::optional<ReadyMessage> ready;
  std::vector<StepMessage> steps;
  std::optional<std::int64_t> peak_bytes;            // high-water mark of the process
  Json probes = Json::object();                      // of the process as a whole
  std::vector<std::optional<double>> stage_seconds;  // as DoneMessage has them
  std::vector<double> told_at;  // when each of `steps` was told: seconds of the runner's clock
  Cpus cpus;                    // of a copy: those that it was held on; empty: any
};

// `on_step` is told of each step as it comes. Throws Error (bad_input) when the program cannot be
// started; whatever else goes wrong is in the result.
Exchange exchange(const ChildProgram& program, const Request& request,
                  const std::function<void(const StepMessage&)>& on_step);

// The same request to several processes at once, each held on the CPUs of its own place (empty: on
// any). They begin their steps together: a child that is ready waits for the others, if it does as
// `awaits_start` asks. When one of them fails, the others are ended; its reason names it ("copy 2
// of 4: ..."). Returns them in the order of `places`; `on_step` is told of the first one's steps.
std::vector<Exchange> exchange_copies(const ChildProgram& program, const Request& request,
                                      const std::vector<CpuTopology>& places,
                                      const std::function<void(const StepMessage&)>& on_step);

}  // namespace voxmark

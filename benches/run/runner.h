// Runs cases one after the other: the only place that knows the order of things. Every case ends as
// a record in the journal before the next one starts; one that fails costs itself.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "benches/exchange/exchange.h"
#include "benches/exchange/outside_program.h"
#include "benches/process/cgroup.h"
#include "benches/process/memory_room.h"
#include "benches/proof/case_files.h"
#include "benches/proof/cross_check.h"
#include "benches/proof/verifier.h"
#include "benches/run/attempt.h"
#include "benches/run/prediction.h"
#include "benches/run/ranks_here.h"
#include "results/journal.h"

namespace voxmark {

// Told what happens; knows nothing that the runner does not tell it.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void verifying(const CaseSpec& spec) = 0;
  virtual void timing(const CaseSpec& spec, std::optional<double> predicted_seconds) = 0;
  virtual void step(const CaseSpec& spec, const StepMessage& step) = 0;
  virtual void finished(const CaseSpec& spec, const Record& record,
                        std::optional<double> seconds_left) = 0;
  // So many more processes than were announced.
  virtual void added(std::size_t processes) { static_cast<void>(processes); }
  // An earlier session measured so many, `more` of them beyond those that were announced.
  virtual void resumed(std::size_t processes, std::size_t more) {
    static_cast<void>(processes);
    static_cast<void>(more);
  }
  // What a person should know that is no case's fault.
  virtual void warn(const std::string& text) = 0;
  // No case is under way any more, though one may be unfinished.
  virtual void ended() {}
};

struct RunnerOptions {
  ChildProgram child;
  std::optional<double> case_budget_seconds;
  // Of all cases that this runner runs, together: what would end after it is skipped. What a
  // journal has of earlier sessions is not counted.
  std::optional<double> run_budget_seconds;
  // A case is begun only where the run budget is enough for so many processes of it, and of each
  // case that was begun before.
  int processes_per_case = 1;
  std::function<MemoryRoom()> room = [] { return memory_room(); };
  // Why the ranks of a case cannot be started; "" where they can.
  std::string no_ranks = "nobody said how ranks are started";  // "": child.ranks does
  std::optional<double> cpu_quota = voxmark::cpu_quota();      // a case with more threads is marked
  // How often a process that was disturbed is run again, at most: the least disturbed try counts.
  // Under constant load, where processes before it stayed disturbed, not at all.
  int taint_repeats = 0;
  std::string reproduce_flags;  // behind each record's command: " --bind cores", or ""
  std::vector<MachineLimits> machine_limits;  // by number of threads; empty: not measured
};

class Runner {
 public:
  Runner(RunnerOptions options, Verifier& verifier, RunObserver& observer);

  // Runs the cases that the journal does not have yet, in this order, until they are done or an
  // interrupt is pending; `later` are those that will follow, for the time that is left. What a
  // case can do wrong is in its record. Returns 0 (done), 64 (a case's input was bad), 1 (wrong
  // numbers, or a program of somebody else's that fails), 70 (a case of ours failed in another
  // way), 5 (nothing could be measured), 130 or 143. Throws Error (internal) when the journal
  // cannot be written.
  ExitCode run(const std::vector<CaseSpec>& cases, Journal& journal,
               std::span<const CaseSpec> later = {});

 private:
  struct Interrupted {};

  Record measure(const CaseSpec& spec);
  void measure(const CaseSpec& spec, Record& record);
  double seconds_needed(std::span<const CaseSpec> cases, std::span<const CaseSpec> later) const;
  void learn_start(const CaseSpec& spec, const Record& record);
  bool plan(const CaseSpec& spec, Record& record);
  std::string limit_that_fits(const CaseSpec& spec, std::int64_t room_bytes);
  bool verify(const CaseSpec& spec, Record& record);
  bool can_be_repeated(const CaseSpec& spec, Record& record);
  bool within_budget(const CaseSpec& spec, Record& record);
  void time(const CaseSpec& spec, Record& record);
  Attempt attempt(const CaseSpec& spec);
  void cross_check(const CaseSpec& spec, const Exchange& timed, Record& record);
  void compute_with_own_backend(const CaseSpec& spec);
  ChildProgram child_for(const CaseSpec& spec) const;
  Exchange ask(ChildMode mode, const CaseSpec& spec);
  std::vector<Exchange> run_copies(const CaseSpec& spec);
  std::optional<double> seconds_left(std::span<const CaseSpec> cases,
                                     std::span<const CaseSpec> later) const;

  RunnerOptions options_;
  Verifier& verifier_;
  RunObserver& observer_;
  Prediction prediction_;
  CrossCheck cross_check_;
  Json verified_stages_ = Json::array();  // of the case under way
  CaseFiles files_;
  OutsideProgram programs_;
  std::optional<double> spent_before_;            // by earlier sessions
  double spent_seconds_ = 0;                      // of the run budget
  double needed_seconds_ = 0;                     // by the case under way and those that are begun
  std::set<std::string> begun_;                   // cases of which a process was timed
  std::map<std::string, std::string> not_begun_;  // cases that time was too short for, and why
  std::map<std::string, Exchange> plans_;         // by case: repeats need no second plan
  std::optional<double> best_canary_seconds_;
  int stayed_disturbed_ = 0;  // processes, the last ones, that every try found disturbed
};

}  // namespace voxmark

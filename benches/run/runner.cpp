#include "benches/run/runner.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <set>
#include <utility>

#include "backends/registry/registry.h"
#include "base/error.h"
#include "base/number_text.h"
#include "benches/machine/environment.h"
#include "benches/probes/interference.h"
#include "benches/probes/others.h"
#include "benches/process/interrupt.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/contender.h"
#include "benches/protocol/stages_json.h"
#include "benches/ranks/copy_places.h"
#include "benches/run/case_record.h"
#include "benches/run/roofline.h"
#include "benches/run/warm_up.h"
#include "benches/suite/suite.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

// Not measured by this backend: it shows what the harness itself costs.
bool is_overhead(const CaseSpec& spec) {
  const Backend* backend = is_of_build(spec.backend) ? find_backend(spec.backend).backend : nullptr;
  return backend != nullptr && !backend->computes();
}

// Of what a journal holds already.
double spent_seconds(const Report& report) {
  double seconds = 0;
  for (const Record& record : report.records) {
    seconds += record.facts.wall_seconds.value_or(0);
  }
  return seconds;
}

// After so many processes that stayed disturbed, none is run again until one is not disturbed.
constexpr int kConstantLoad = 2;

// A step this many times slower than predicted may be one still; silence beyond it is a hang.
constexpr double kHangFactor = 10;

double median_step_seconds(const Exchange& timed) {
  std::vector<double> seconds;
  for (const StepMessage& step : timed.steps) {
    if (!step.warmup) {
      seconds.push_back(step.step_seconds);
    }
  }
  const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

// From the records alone, so that a resumed run ends as one that never stopped.
std::string key_of_all_processes(const CaseSpec& spec) {
  return case_key(without_process(to_json(spec)));
}

}  // namespace

Runner::Runner(RunnerOptions options, Verifier& verifier, RunObserver& observer)
    : options_(std::move(options)), verifier_(verifier), observer_(observer) {}

ExitCode Runner::run(const std::vector<CaseSpec>& cases, Journal& journal,
                     std::span<const CaseSpec> later) {
  const auto interrupted = [] {
    return pending_interrupt() == SIGTERM ? ExitCode::terminated : ExitCode::interrupted;
  };
  if (!spent_before_) {
    spent_before_ = spent_seconds(journal.report());
  }
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (pending_interrupt() != 0) {
      return interrupted();
    }
    if (journal.contains(case_key(to_json(cases[i])))) {
      continue;
    }
    try {
      spent_seconds_ = spent_seconds(journal.report()) - *spent_before_;
      needed_seconds_ = seconds_needed(std::span(cases).subspan(i), later);
      const Record record = measure(cases[i]);
      learn_start(cases[i], record);
      journal.append(record);
      observer_.finished(cases[i], record, seconds_left(std::span(cases).subspan(i + 1), later));
    } catch (const Interrupted&) {
      return interrupted();
    }
  }
  return exit_code(journal.report());
}

void Runner::learn_start(const CaseSpec& spec, const Record& record) {
  double steps = 0;
  for (const SampleRecord& sample : record.samples) {
    steps += sample.times ? sample.times->step_seconds : 0;
  }
  if (steps > 0) {
    begun_.insert(key_of_all_processes(spec));
  }
  steps /= spec.copies;  // which ran at once
  // A process that was disturbed and run again tells more than its start.
  const bool was_tried_again = record.facts.interference && record.facts.interference->discarded;
  if (steps > 0 && record.facts.wall_seconds && !was_tried_again) {
    prediction_.learn_start(spec, std::max(0.0, *record.facts.wall_seconds - steps));
  }
}

Record Runner::measure(const CaseSpec& spec) {
  const auto start = std::chrono::steady_clock::now();
  Record record = start_record(spec);
  record.reproduce += options_.reproduce_flags;
  if (!is_of_build(spec.backend)) {
    record.facts.program = programs_.facts(contender_of(spec, options_.child.command).command);
  }
  const int threads = processes_here(spec, options_.child.ranks) * spec.threads;
  if (const auto& quota = options_.cpu_quota; quota && threads > *quota) {
    record.facts.beyond_cpu_quota = {threads, quota};
  }
  measure(spec, record);
  explain_gaps(record);
  record.facts.wall_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return record;
}

void Runner::measure(const CaseSpec& spec, Record& record) {
  if (options_.run_budget_seconds && spent_seconds_ > *options_.run_budget_seconds) {
    record.facts.beyond_budget = true;
    end_record(
        record, Outcome::skipped,
        fmt::format("the run's budget of {:.0f} s is used up", *options_.run_budget_seconds));
    return;
  }
  if (const std::string reason = obstacle_of_ranks(spec, options_.no_ranks); !reason.empty()) {
    end_record(record, Outcome::skipped, reason);
    return;
  }
  try {
    if (plan(spec, record) && can_be_repeated(spec, record) && verify(spec, record) &&
        within_budget(spec, record)) {
      time(spec, record);
    }
  } catch (const Error& error) {
    // A program that cannot be started, or a child whose words do not make sense.
    end_record(record, Outcome::failed, error.what(), error.code());
  } catch (const std::exception& error) {
    end_record(record, Outcome::failed, error.what());
  }
}

// False: the record is complete, the case is not to be run.
bool Runner::plan(const CaseSpec& spec, Record& record) {
  const std::string key = key_of_all_processes(spec);
  if (!plans_.contains(key)) {
    plans_[key] = ask(ChildMode::plan, spec);
  }
  const Exchange& answer = plans_.at(key);
  if (answer.fault) {
    end_record(record, *answer.fault, answer.reason, answer.code);
    return false;
  }
  keep_plan(*answer.planned, spec.copies, record);
  if (spec.memory_limit_bytes && !answer.planned->planned_bytes) {
    end_record(record, Outcome::skipped,
               "cannot be held to a memory limit: it does not tell what it plans to take");
    return false;
  }
  std::int64_t needed =  // by each rank or copy
      answer.planned->planned_bytes.value_or(0) + harness_bytes(spec);
  if (!answer.planned->planned_bytes) {  // what it took at other sizes is the next best
    if (const auto guess = prediction_.peak_bytes(spec)) {
      needed = *guess;
      record.facts.predicted_peak_bytes = guess;
    }
  }
  if (spec.memory_limit_bytes && needed > *spec.memory_limit_bytes) {
    end_record(record, Outcome::infeasible,
               fmt::format("needs {}, the memory limit is {}", bytes_text(needed),
                           bytes_text(*spec.memory_limit_bytes)));
    return false;
  }
  const MemoryRoom room = options_.room();
  const int processes = processes_here(spec, options_.child.ranks);
  if (needed > room.bytes / processes) {
    end_record(record, Outcome::infeasible,
               fmt::format("{}, there are {} ({}){}", need_text(spec, processes, needed),
                           bytes_text(room.bytes), room.source,
                           limit_that_fits(spec, room.bytes / processes)));
    return false;
  }
  return true;
}

// What computing tensors again would make of a case that does not fit, as words; "" where nothing.
std::string Runner::limit_that_fits(const CaseSpec& spec, std::int64_t room_bytes) {
  if (spec.memory_limit_bytes || !plans_memory(spec.backend)) {
    return "";
  }
  CaseSpec limited = spec;
  const std::string limit = limit_text(room_bytes);
  limited.memory_limit_bytes = parse_bytes(limit, "limit");
  const Exchange answer = ask(ChildMode::plan, limited);
  const bool fits =
      !answer.fault && answer.planned->planned_bytes &&
      *answer.planned->planned_bytes + harness_bytes(spec) <= *limited.memory_limit_bytes;
  return fits ? fmt::format("; it fits with --memory-limit {}", limit) : "";
}

bool Runner::verify(const CaseSpec& spec, Record& record) {
  if (is_overhead(spec)) {
    return true;  // computes nothing that could be right
  }
  if (!verifier_.knows(spec)) {
    observer_.verifying(spec);
  }
  const VerifierResult result = verifier_.verify(spec);
  if (result.interrupted) {
    throw Interrupted{};
  }
  record.verification = result.record;
  verified_stages_ = result.stages;
  if (result.step_seconds && !prediction_.steps_seconds(spec)) {
    prediction_.learn(verification_shape(spec), *result.step_seconds);
  }
  if (result.fault) {
    end_record(record, *result.fault, result.reason, result.code);
    return false;
  }
  return true;
}

// Of the first of `cases`: its processes and those that other cases still lack, as many of each as
// options_ asks for. Nothing of a backend that is unknown.
double Runner::seconds_needed(std::span<const CaseSpec> cases,
                              std::span<const CaseSpec> later) const {
  if (!options_.run_budget_seconds) {
    return 0;
  }
  const std::string own = key_of_all_processes(cases.front());
  double seconds = 0;
  for (const auto part : {cases, later}) {
    for (const CaseSpec& spec : part) {
      const std::string key = key_of_all_processes(spec);
      if (spec.process < options_.processes_per_case && (key == own || begun_.contains(key))) {
        seconds += prediction_.process_seconds(spec).value_or(0);
      }
    }
  }
  return seconds;
}

// One process is no sample: a case that there is no time for twice is not begun, nor one that takes
// the time of others that are.
bool Runner::can_be_repeated(const CaseSpec& spec, Record& record) {
  const std::string key = key_of_all_processes(spec);
  if (options_.run_budget_seconds && !begun_.contains(key)) {
    const double left = std::max(0.0, *options_.run_budget_seconds - spent_seconds_);
    if (needed_seconds_ > left) {
      not_begun_.try_emplace(
          key, fmt::format("it and what is begun would take about {:.0f} s, the run has {:.0f} s "
                           "left of {:.0f} s",
                           needed_seconds_, left, *options_.run_budget_seconds));
    }
  }
  const auto reason = not_begun_.find(key);
  if (reason == not_begun_.end()) {
    return true;
  }
  record.facts.beyond_budget = true;
  end_record(record, Outcome::skipped, reason->second);
  return false;
}

bool Runner::within_budget(const CaseSpec& spec, Record& record) {
  const std::optional<double> predicted = prediction_.steps_seconds(spec);
  if (!predicted) {
    return true;
  }
  if (options_.case_budget_seconds && *predicted > *options_.case_budget_seconds) {
    end_record(record, Outcome::skipped,
               fmt::format("would take about {:.0f} s, the budget of a case is {:.0f} s",
                           *predicted, *options_.case_budget_seconds));
    return false;
  }
  if (options_.run_budget_seconds && spent_seconds_ + *predicted > *options_.run_budget_seconds) {
    record.facts.beyond_budget = true;
    end_record(record, Outcome::skipped,
               fmt::format("would take about {:.0f} s, the run has {:.0f} s left of {:.0f} s",
                           *predicted, std::max(0.0, *options_.run_budget_seconds - spent_seconds_),
                           *options_.run_budget_seconds));
    return false;
  }
  return true;
}

Attempt Runner::attempt(const CaseSpec& spec) {
  Attempt result;
  const int threads = spec.copies * spec.threads;
  const double canary_before = canary_seconds();
  const auto start = std::chrono::steady_clock::now();
  const std::optional<double> others_before = others_seconds();
  result.copies = run_copies(spec);
  const std::optional<double> others_after = others_seconds();
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double canary_after = canary_seconds();
  result.canary_seconds = std::max(canary_before, canary_after);
  best_canary_seconds_ =
      std::min({best_canary_seconds_.value_or(canary_before), canary_before, canary_after});
  result.taint_whole(canary_taint(canary_before, canary_after, *best_canary_seconds_));
  // Our own child reads at each step what its threads waited.
  if (!runs_our_child(spec.backend) && others_before && others_after) {
    const double others = *others_after - *others_before;
    result.taint_whole(others_taint(others, elapsed, threads));
    result.lost_fraction += std::max(0.0, others) / (elapsed * threads);
  }
  result.judge_steps(spec);
  result.lost_fraction += result.canary_seconds / *best_canary_seconds_ - 1;
  return result;
}

void Runner::time(const CaseSpec& spec, Record& record) {
  observer_.timing(spec, prediction_.steps_seconds(spec));
  Attempt best = attempt(spec);
  std::vector<DiscardedTry> discarded;
  const bool is_constant = stayed_disturbed_ >= kConstantLoad;  // what ran on will go on
  const int repeats = is_constant ? 0 : options_.taint_repeats;
  for (int i = 0; i < repeats && best.is_tainted() && !best.timed().fault; ++i) {
    Attempt next = attempt(spec);
    if (next.timed().fault || next.disturbance() < best.disturbance()) {
      std::swap(next, best);
    }
    discarded.push_back(next.discarded());
  }
  stayed_disturbed_ = best.is_tainted() ? stayed_disturbed_ + 1 : 0;
  const Exchange& timed = best.timed();
  keep_measurement(spec, best.copies, record);
  // What was asked for; probes tell what came of it. Ranks and copies place themselves.
  if (options_.child.binding && spec.copies == 1 && spec.ranks == 1) {
    record.facts.openmp_places =
        openmp_places(cpus_of_threads(*options_.child.binding, spec.threads));
  }
  Interference& interference =
      record.facts.interference.emplace(Interference{best.disturbed(), {}, {}});
  if (!discarded.empty()) {
    interference.discarded = std::move(discarded);
  }
  if (is_constant && best.is_tainted() && options_.taint_repeats > 0) {
    interference.not_repeated = fmt::format(
        "the {} processes before it stayed disturbed, however often they were run", kConstantLoad);
  }
  if (timed.fault) {
    end_record(record, *timed.fault, timed.reason, timed.code);
    return;
  }
  prediction_.learn(spec, median_step_seconds(timed));
  for (const Exchange& copy : best.copies) {
    if (copy.peak_bytes) {
      prediction_.learn_peak(spec, *copy.peak_bytes);
    }
  }
  if (is_overhead(spec)) {
    end_record(record, Outcome::overhead, "computes nothing: this is the harness's own cost");
    return;
  }
  record.outcome = Outcome::ok;
  record.facts.warmup = warm_up_of_copies(record.samples, spec.copies);
  const auto& ranks = options_.child.ranks;
  record.facts.roofline =
      roofline(spec, processes_here(spec, ranks), threads_here(spec, ranks, allowed_cpus()),
               options_.machine_limits);
  if (auto others = other_kernels(verified_stages_, timed.ready->stages); !others.empty()) {
    record.verification->facts.other_kernels = std::move(others);
  }
  for (std::size_t i = 0; i < best.copies.size() && record.outcome == Outcome::ok; ++i) {
    cross_check(spec, best.copies[i], record);
    if (best.copies.size() > 1 && record.outcome != Outcome::ok) {
      record.reason = fmt::format("copy {} of {}: {}", i + 1, spec.copies, *record.reason);
    }
  }
}

// At the timed shape itself, where another verified backend has done the same step.
void Runner::cross_check(const CaseSpec& spec, const Exchange& timed, Record& record) {
  TimedShapeCheck& check = record.verification->facts.timed_shape.emplace();
  if (!record.verification->verified) {
    check.reason = "the backend is not verified";
    return;
  }
  compute_with_own_backend(spec);
  const CrossCheckResult result = cross_check_.check(spec, timed);
  if (result.against.empty()) {
    check.reason = "no other verified backend has run this shape before";
    return;
  }
  check.against = result.against;
  check.tensor = result.tensor;
  check.error = number_to_json(result.error);
  check.tolerance = result.tolerance;
  if (result.mismatch) {
    end_record(record, Outcome::invalid, *result.mismatch);
  }
}

// A program that is not our child says of itself what the timed step computed. Where none of ours
// has done the same step yet, one does: once, untimed.
void Runner::compute_with_own_backend(const CaseSpec& spec) {
  if (runs_our_child(spec.backend) || cross_check_.has_ours(spec)) {
    return;
  }
  CaseSpec witness = spec;
  witness.copies = 1;
  witness.isa.clear();
  witness.precision = Precision::fp32;
  witness.steps = 1;
  witness.warmup = 0;
  const auto ask = [&](ChildMode mode) {
    Exchange answer = exchange(options_.child, request_of(mode, witness), [](const auto&) {});
    if (answer.interrupted) {
      throw Interrupted{};
    }
    return answer;
  };
  for (const char* backend : {"onednn", "eigen", "naive"}) {  // the fastest first
    witness.backend = backend;
    if (find_backend(backend).backend == nullptr) {
      continue;
    }
    const Exchange plan = ask(ChildMode::plan);
    if (plan.fault ||
        plan.planned->planned_bytes.value_or(0) + harness_bytes(witness) > options_.room().bytes) {
      continue;
    }
    const VerifierResult proof = verifier_.verify(witness);
    if (proof.interrupted) {
      throw Interrupted{};
    }
    const Exchange timed = ask(ChildMode::time);
    if (proof.record.verified && !timed.fault) {
      cross_check_.check(witness, timed);
      return;
    }
  }
}

// Patient as long as its steps are predicted to take.
ChildProgram Runner::child_for(const CaseSpec& spec) const {
  ChildProgram child = options_.child;
  if (const auto predicted = prediction_.steps_seconds(spec)) {
    child.patience_seconds =
        std::max(child.patience_seconds, kHangFactor * *predicted / (spec.warmup + spec.steps));
  }
  return child;
}

Exchange Runner::ask(ChildMode mode, const CaseSpec& spec) {
  Exchange answer = exchange(child_for(spec), request_of(mode, spec), [](const auto&) {});
  if (answer.interrupted) {
    throw Interrupted{};
  }
  return answer;
}

// One where the case has no others.
std::vector<Exchange> Runner::run_copies(const CaseSpec& spec) {
  Request request = request_of(ChildMode::time, spec);
  request.awaits_start = spec.copies > 1;
  if (exchanges_files(spec.backend)) {
    const CasePaths paths = files_.for_timing(spec);
    request.weights_path = paths.weights;
    request.batch_path = paths.batch;
  }
  const std::vector<CpuTopology> places =
      spec.copies > 1 ? topologies_of_copies(spec.copies, spec.threads)
                      : std::vector<CpuTopology>(1);  // wherever its threads are held
  std::vector<Exchange> answers =
      exchange_copies(child_for(spec), request, places,
                      [this, &spec](const StepMessage& step) { observer_.step(spec, step); });
  if (answers.front().interrupted) {
    throw Interrupted{};
  }
  return answers;
}

// Nothing before the first case has run.
std::optional<double> Runner::seconds_left(std::span<const CaseSpec> cases,
                                           std::span<const CaseSpec> later) const {
  double seconds = 0;
  for (const std::span<const CaseSpec> part : {cases, later}) {
    for (const CaseSpec& spec : part) {
      const std::optional<double> guess = prediction_.steps_seconds_at_most(spec);
      if (!guess) {
        return std::nullopt;
      }
      const bool will_run = *guess <= options_.case_budget_seconds.value_or(*guess);
      seconds += will_run ? *guess : 0;
    }
  }
  if (options_.run_budget_seconds) {
    seconds = std::clamp(*options_.run_budget_seconds - spent_seconds_, 0.0, seconds);
  }
  return seconds;
}

}  // namespace voxmark

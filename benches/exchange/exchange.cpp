#include "benches/exchange/exchange.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "benches/exchange/report_check.h"
#include "benches/process/child_process.h"
#include "benches/process/process_status.h"
#include "benches/protocol/contender.h"

namespace voxmark {
namespace {

void set_fault(Exchange& result, Outcome outcome, std::string reason) {
  result.fault = outcome;
  result.reason = std::move(reason);
}

// How often the kernel has killed a process for want of memory since boot.
std::optional<std::int64_t> oom_kills() {
  std::ifstream file("/proc/vmstat");
  std::string name;
  std::int64_t value = 0;
  while (file >> name >> value) {
    if (name == "oom_kill") {
      return value;
    }
  }
  return std::nullopt;
}

// Seconds that went by, and those of them that count as a step's.
struct CountedSeconds {
  double passed = 0;
  double counted = 0;
};

// The step of which more is left out than chance explains; nothing where there is none. Chance
// delays single steps, so the least of several is held to the tighter limit; but the published
// figure is their median, so one honest step does not excuse the others.
std::optional<CountedSeconds> left_out(std::vector<CountedSeconds> steps) {
  constexpr double kMaxShare = 0.25;         // far more than loading or a message takes
  constexpr double kChanceSeconds = 0.1;     // a loaded machine may take from any step
  constexpr double kRepeatedSeconds = 0.01;  // and probes, on many CPUs, from each of several
  constexpr std::size_t kSeveral = 3;
  const auto excess = [](const CountedSeconds& step) {
    return (1 - kMaxShare) * step.passed - step.counted;
  };
  if (steps.empty()) {
    return std::nullopt;
  }
  std::ranges::sort(steps, {}, excess);
  const CountedSeconds& middle = steps[(steps.size() - 1) / 2];
  if (excess(middle) > kChanceSeconds) {
    return middle;
  }
  if (steps.size() >= kSeveral && excess(steps.front()) > kRepeatedSeconds) {
    return steps.front();
  }
  return std::nullopt;
}

// The seconds that a child tells of its steps, against each other and the runner's own clock.
// Whoever reports more than went by lies, however slow the machine is.
class ClockCheck {
 public:
  // Throws Error (bad_input).
  void step(const StepMessage& step) {
    const Clock::time_point now = Clock::now();
    if (!adds_up({step.load_seconds, step.forward_backward_seconds, step.update_seconds,
                  step.step_seconds})) {
      throw_bad_input(
          "child protocol: step_seconds {} is not forward_backward_seconds + update_seconds = {}",
          step.step_seconds, step.forward_backward_seconds + step.update_seconds);
    }
    const double reported = step.load_seconds + step.step_seconds;
    reported_ += reported;
    const double elapsed = seconds(start_, now);
    if (reported_ > kClockError * elapsed + kSlackSeconds) {
      throw_bad_input("child protocol: its steps took {:.3g} s, and {:.3g} s went by", reported_,
                      elapsed);
    }
    if (!step.warmup && steps_ > 0) {  // what follows the first step is told with it
      gaps_.push_back({seconds(last_, now), reported});
    }
    if (!step.warmup) {
      with_loading_.push_back({reported, step.step_seconds});
    }
    ++steps_;
    last_ = now;
  }

  // Throws Error (bad_input).
  void done() const {
    if (const auto step = left_out(gaps_)) {
      throw_bad_input("child protocol: a step of {:.3g} s took {:.3g} s by the runner's clock",
                      step->counted, step->passed);
    }
    if (const auto step = left_out(with_loading_)) {
      throw_bad_input(
          "child protocol: load_seconds {:.3g} of a step of {:.3g} s: loading is a quarter of both "
          "at most",
          step->passed - step->counted, step->counted);
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr double kClockError = 1.01;
  static constexpr double kSlackSeconds = 0.1;

  static double seconds(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
  }

  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
  int steps_ = 0;
  double reported_ = 0;
  std::vector<CountedSeconds> gaps_, with_loading_;  // of the timed steps
};

// Takes one message; true when it was the last one that the mode has.
class Listener {
 public:
  Listener(const Request& request, Exchange& result) : request_(request), result_(result) {}

  bool operator()(const PlannedMessage& message) {
    expect(request_.mode == ChildMode::plan, "planned");
    result_.planned = message;
    return true;
  }
  bool operator()(const VerifiedMessage& message) {
    // An external program is not asked whether it is right.
    expect(request_.mode == ChildMode::check ||
               (request_.mode == ChildMode::verify && request_.results_path.empty()),
           "verified");
    result_.verified = message;
    return true;
  }
  bool operator()(const ComputedMessage& message) {
    expect(request_.mode == ChildMode::verify && !request_.results_path.empty(), "computed");
    result_.computed = message;
    return true;
  }
  bool operator()(const UnsupportedMessage& message) {
    set_fault(result_, Outcome::skipped, message.reason);
    return true;
  }
  bool operator()(const ErrorMessage& message) {
    const bool out_of_memory = message.kind == ErrorKind::out_of_memory;
    set_fault(result_, out_of_memory ? Outcome::oom : Outcome::failed, message.message);
    result_.code = message.kind == ErrorKind::bad_input ? ExitCode::bad_input : ExitCode::internal;
    return true;
  }
  bool operator()(const ReadyMessage& message) {
    expect(request_.mode == ChildMode::time && !result_.ready, "ready");
    result_.ready = message;
    return false;
  }
  bool operator()(const StepMessage& message) {
    expect(result_.ready && result_.steps.size() < all_steps(), "step");
    const std::size_t warmup = static_cast<std::size_t>(request_.spec.warmup);
    if (message.warmup != (result_.steps.size() < warmup)) {
      throw_bad_input("child protocol: step {}: \"warmup\" is {}, expected {}: the first {} are",
                      result_.steps.size(), message.warmup, !message.warmup, warmup);
    }
    clocks_.step(message);
    result_.steps.push_back(message);
    if (!std::isfinite(message.loss)) {
      set_fault(result_, Outcome::diverged,
                fmt::format("the loss of step {} is {}", result_.steps.size() - 1, message.loss));
      return true;
    }
    return false;
  }
  bool operator()(const DoneMessage& message) {
    expect(result_.ready && result_.steps.size() == all_steps(), "done");
    if (!runs_our_child(request_.spec.backend)) {  // ours reads probes between two steps
      clocks_.done();
    }
    result_.peak_bytes = message.earlier_peak_bytes;
    result_.probes = message.probes;
    result_.stage_seconds = message.stage_seconds;
    return true;
  }

  // The message that comes next, if the child does what it is asked to.
  std::string due() const {
    switch (request_.mode) {
      case ChildMode::plan:
        return "\"planned\"";
      case ChildMode::verify:
        return request_.results_path.empty() ? "\"verified\"" : "\"computed\"";
      case ChildMode::check:
        return "\"verified\"";
      case ChildMode::time:
        break;
    }
    return !result_.ready ? "\"ready\""
           : result_.steps.size() < all_steps()
               ? fmt::format("\"step\" {} of {}", result_.steps.size() + 1, all_steps())
               : "\"done\"";
  }

 private:
  std::size_t all_steps() const {
    return static_cast<std::size_t>(request_.spec.warmup) +
           static_cast<std::size_t>(request_.spec.steps);
  }
  void expect(bool condition, std::string_view type) const {
    if (!condition) {
      throw_bad_input("child protocol: a \"{}\" that was not due, expected {}", type, due());
    }
  }

  const Request& request_;
  Exchange& result_;
  ClockCheck clocks_;
};

// A plan is made by one process, whose memory is that of each rank.
bool runs_as_ranks(const Request& request) {
  return request.spec.ranks > 1 && request.mode != ChildMode::plan &&
         runs_our_child(request.spec.backend);
}

// Several ranks are ended by their launcher, which reaches those on other hosts, too.
void stop(ChildProcess& child, const Request& request) {
  constexpr double kLauncherSeconds = 10;
  if (runs_as_ranks(request)) {
    child.end(kLauncherSeconds);
  } else {
    child.kill();
  }
}

void explain_silence(ChildProcess& child, const ChildProgram& program, const Request& request,
                     Exchange& result) {
  constexpr double kAnswerSeconds = 3;
  std::string reason = fmt::format("no message for {} s", program.patience_seconds);
  if (runs_as_ranks(request)) {
    const std::string who = ranks_that_hang(child.ask(SIGUSR1, kAnswerSeconds), request.spec.ranks);
    reason += who.empty() ? "" : ": " + who;
  }
  set_fault(result, Outcome::timeout, std::move(reason));
}

// Listens until the last message; false when the child's output ended before it.
bool listen(ChildProcess& child, const ChildProgram& program, const Request& request,
            Listener& listener, const std::function<void(const StepMessage&)>& on_step,
            Exchange& result) {
  std::string line;
  while (true) {
    switch (child.read_line(line, program.patience_seconds)) {
      case ChildProcess::Read::line:
        break;
      case ChildProcess::Read::end:
        return false;
      case ChildProcess::Read::silence:
        explain_silence(child, program, request, result);
        stop(child, request);
        return true;
      case ChildProcess::Read::interrupted:
        stop(child, request);
        result.interrupted = true;
        return true;
      case ChildProcess::Read::too_long:
        stop(child, request);
        set_fault(result, Outcome::failed, "child protocol: a line without end");
        return true;
    }
    try {
      const std::size_t steps = result.steps.size();
      const bool last = std::visit(listener, parse_message(line));
      if (result.steps.size() > steps) {
        on_step(result.steps.back());
      }
      if (last) {
        return true;
      }
    } catch (const Error& error) {
      stop(child, request);
      set_fault(result, Outcome::failed, error.what());
      return true;
    }
  }
}

// Whether one rank is to blame; then its end is the case's.
bool explain_rank(const ChildProcess& child, std::optional<std::int64_t> oom_kills_before,
                  Exchange& result) {
  const std::optional<RankEnd> rank = rank_end(child.error_text());
  if (!rank) {
    return false;
  }
  if (rank->signal == SIGKILL && oom_kills_before && oom_kills() > oom_kills_before) {
    set_fault(result, Outcome::oom, rank->text() + ": killed by the kernel for want of memory");
  } else {
    set_fault(result, rank->said.empty() ? Outcome::crashed : Outcome::failed, rank->text());
  }
  return true;
}

// The child ended, or closed its output, and not as it should; `when` says at which point.
void explain_end(ChildProcess& child, const ChildProgram& program, const Request& request,
                 const std::string& when, std::optional<std::int64_t> oom_kills_before,
                 Exchange& result) {
  const std::optional<ProcessEnd> end = child.wait(program.exit_patience_seconds);
  const std::string last_words = child.last_error_line();
  const std::string said = last_words.empty() ? "" : ": " + last_words;
  if (!end) {
    stop(child, request);
  }
  if (runs_as_ranks(request) && explain_rank(child, oom_kills_before, result)) {
    return;
  }
  if (!end) {
    set_fault(result, Outcome::failed, fmt::format("closed its output {}{}", when, said));
  } else if (end->signal == SIGKILL && oom_kills_before && oom_kills() > oom_kills_before) {
    set_fault(result, Outcome::oom, "killed by the kernel for want of memory");
  } else if (end->signal) {
    set_fault(result, Outcome::crashed, signal_name(*end->signal) + said);
  } else {
    set_fault(result, Outcome::failed,
              fmt::format("exit status {} {}{}", *end->exit_status, when, said));
    if (*end->exit_status == static_cast<int>(ExitCode::cannot_here)) {
      result.code = ExitCode::cannot_here;
    }
  }
}

// All has been said: the memory is read while the child still waits for the end of its input.
void read_peak_and_end(ChildProcess& child, const ChildProgram& program, const Request& request,
                       std::optional<std::int64_t> oom_kills_before, Exchange& result) {
  if (result.fault) {
    stop(child, request);  // it may be in the middle of a step
    return;
  }
  const std::optional<std::int64_t> peak = process_bytes(child.id(), "VmHWM");
  if (peak && !runs_as_ranks(request)) {  // ranks tell their own; this is the launcher's
    result.peak_bytes = std::max(result.peak_bytes.value_or(0), *peak);
  }
  child.close_input();
  const std::optional<ProcessEnd> end = child.wait(program.exit_patience_seconds);
  if (!end) {
    stop(child, request);
    set_fault(result, Outcome::timeout, "did not exit after the end of its input");
  } else if (end->exit_status != 0) {
    explain_end(child, program, request, "after it was done", oom_kills_before, result);
  }
}

std::vector<std::string> environment_of(const ChildProgram& program, const CaseSpec& spec) {
  std::vector<std::string> environment = program.environment;
  if (program.binding && spec.ranks == 1) {  // ranks place themselves
    std::erase_if(environment, [](const std::string& variable) {
      return variable.starts_with("OMP_PLACES=") || variable.starts_with("OMP_PROC_BIND=");
    });
    for (const std::string& variable :
         openmp_places(cpus_of_threads(*program.binding, spec.threads))) {
      environment.push_back(variable);
    }
  }
  environment.push_back(fmt::format("OMP_NUM_THREADS={}", spec.threads));
  return environment;
}

}  // namespace

Exchange exchange(const ChildProgram& program, const Request& request,
                  const std::function<void(const StepMessage&)>& on_step) {
  Exchange result;
  Contender contender = contender_of(request.spec, program.command);
  if (!contender.missing.empty()) {
    set_fault(result, Outcome::skipped, contender.missing);
    return result;
  }
  std::vector<std::string> environment = environment_of(program, request.spec);
  if (runs_as_ranks(request)) {
    contender = started_as_ranks(program.ranks.value(), request.spec, contender, environment);
    environment = contender.environment;
  } else {
    environment.insert(environment.end(), contender.environment.begin(),
                       contender.environment.end());
  }
  const std::optional<std::int64_t> oom_kills_before = oom_kills();
  ChildProcess child(contender.command, environment);
  child.write_line(to_line(request));
  Listener listener(request, result);
  if (!listen(child, program, request, listener, on_step, result)) {
    explain_end(child, program, request, "before it said " + listener.due(), oom_kills_before,
                result);
  } else if (!result.interrupted) {
    read_peak_and_end(child, program, request, oom_kills_before, result);
  }
  if (!is_fault_of_ours(request.spec.backend) && result.code == ExitCode::internal) {
    result.code = ExitCode::answer_is_no;
  }
  return result;
}

}  // namespace voxmark

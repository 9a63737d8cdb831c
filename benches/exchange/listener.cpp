#include "benches/exchange/listener.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "benches/exchange/report_check.h"
#include "benches/protocol/contender.h"

namespace voxmark {
namespace {

constexpr double kClockError = 1.01;
constexpr double kSlackSeconds = 0.1;

double seconds(std::chrono::steady_clock::time_point from,
               std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

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

}  // namespace

void ClockCheck::step(const StepMessage& step, Clock::time_point now) {
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

void ClockCheck::done() const {
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

bool Listener::operator()(const PlannedMessage& message) {
  expect(request_.mode == ChildMode::plan, "planned");
  result_.planned = message;
  return true;
}

bool Listener::operator()(const VerifiedMessage& message) {
  // An external program is not asked whether it is right.
  expect(request_.mode == ChildMode::check ||
             (request_.mode == ChildMode::verify && request_.results_path.empty()),
         "verified");
  result_.verified = message;
  return true;
}

bool Listener::operator()(const ComputedMessage& message) {
  expect(request_.mode == ChildMode::verify && !request_.results_path.empty(), "computed");
  result_.computed = message;
  return true;
}

bool Listener::operator()(const UnsupportedMessage& message) {
  set_fault(result_, Outcome::skipped, message.reason);
  return true;
}

bool Listener::operator()(const ErrorMessage& message) {
  const bool out_of_memory = message.kind == ErrorKind::out_of_memory;
  set_fault(result_, out_of_memory ? Outcome::oom : Outcome::failed, message.message);
  result_.code = message.kind == ErrorKind::bad_input ? ExitCode::bad_input : ExitCode::internal;
  return true;
}

bool Listener::operator()(const ReadyMessage& message) {
  expect(request_.mode == ChildMode::time && !result_.ready, "ready");
  result_.ready = message;
  return false;
}

bool Listener::operator()(const StepMessage& message) {
  expect(result_.ready && result_.steps.size() < all_steps(), "step");
  const std::size_t warmup = static_cast<std::size_t>(request_.spec.warmup);
  if (message.warmup != (result_.steps.size() < warmup)) {
    throw_bad_input("child protocol: step {}: \"warmup\" is {}, expected {}: the first {} are",
                    result_.steps.size(), message.warmup, !message.warmup, warmup);
  }
  clocks_.step(message);
  result_.steps.push_back(message);
  result_.told_at.push_back(now_seconds());
  if (!std::isfinite(message.loss)) {
    set_fault(result_, Outcome::diverged,
              fmt::format("the loss of step {} is {}", result_.steps.size() - 1, message.loss));
    return true;
  }
  return false;
}

bool Listener::operator()(const DoneMessage& message) {
  expect(result_.ready && result_.steps.size() == all_steps(), "done");
  if (!runs_our_child(request_.spec.backend)) {  // ours reads probes between two steps
    clocks_.done();
  }
  result_.peak_bytes = message.earlier_peak_bytes;
  result_.probes = message.probes;
  result_.stage_seconds = message.stage_seconds;
  return true;
}

std::string Listener::due() const {
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

std::size_t Listener::all_steps() const {
  return static_cast<std::size_t>(request_.spec.warmup) +
         static_cast<std::size_t>(request_.spec.steps);
}

void Listener::expect(bool condition, std::string_view type) const {
  if (!condition) {
    throw_bad_input("child protocol: a \"{}\" that was not due, expected {}", type, due());
  }
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void set_fault(Exchange& result, Outcome outcome, std::string reason) {
  result.fault = outcome;
  result.reason = std::move(reason);
}

}  // namespace voxmark

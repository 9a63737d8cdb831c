// Takes a child's messages, in the order that its mode has them, and holds its clock to ours.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "benches/exchange/exchange.h"
#include "benches/protocol/protocol.h"

namespace voxmark {

// Seconds that went by, and those of them that count as a step's.
struct CountedSeconds {
  double passed = 0;
  double counted = 0;
};

// The seconds that a child tells of its steps, against each other and the runner's own clock.
// Whoever reports more than went by lies, however slow the machine is.
class ClockCheck {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ClockCheck(Clock::time_point start = Clock::now()) : start_(start) {}

  // Told at `now`. Throws Error (bad_input).
  void step(const StepMessage& step, Clock::time_point now = Clock::now());
  // Of all steps together. Throws Error (bad_input).
  void done() const;

 private:
  Clock::time_point start_;
  Clock::time_point last_ = start_;
  int steps_ = 0;
  double reported_ = 0;
  std::vector<CountedSeconds> gaps_, with_loading_;  // of the timed steps
};

// Takes one message; true when it was the last one that the mode has. Throws Error (bad_input) for
// one that was not due.
class Listener {
 public:
  // Both outlive it.
  Listener(const Request& request, Exchange& result) : request_(request), result_(result) {}

  bool operator()(const PlannedMessage& message);
  bool operator()(const VerifiedMessage& message);
  bool operator()(const ComputedMessage& message);
  bool operator()(const UnsupportedMessage& message);
  bool operator()(const ErrorMessage& message);
  bool operator()(const ReadyMessage& message);
  bool operator()(const StepMessage& message);
  bool operator()(const DoneMessage& message);

  // MPICH's launcher prints beside its ranks' lines, maybe behind the half of one.
  void hear(const std::string& line, const std::string& fault = "") {
    heard_ += line + "\n";
    fault_ = fault;
  }
  const std::string& heard() const { return heard_; }
  const std::string& fault() const { return fault_; }  // of the last line, which was no message

  // The message that comes next, if the child does what it is asked to.
  std::string due() const;

 private:
  std::size_t all_steps() const;
  void expect(bool condition, std::string_view type) const;

  const Request& request_;
  Exchange& result_;
  ClockCheck clocks_;
  std::string heard_, fault_;
};

// Of the runner's clock.
double now_seconds();
void set_fault(Exchange& result, Outcome outcome, std::string reason);

}  // namespace voxmark

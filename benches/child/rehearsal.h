// Steps of a rank in which nobody waits for anybody: what is left of a step without the exchange,
// and when each message would leave. All ranks rehearse at once, so that they share caches and
// memory bandwidth as in a step.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "backends/collectives.h"
#include "benches/child/rank_group.h"

namespace voxmark {

// The collectives that a backend gets: the real ones until a rehearsal begins. Then every call
// returns at once, with this rank's values in place of the others', and is noted.
class Rehearsal final : public Collectives {
 public:
  explicit Rehearsal(Collectives& real) : real_(real) {}

  int rank() const override { return real_.rank(); }
  int ranks() const override { return real_.ranks(); }
  void gather(ExchangeKind kind, std::span<const double> own, std::span<double> all) override;
  void broadcast(std::span<std::byte> values) override { real_.broadcast(values); }
  void begin_sum(std::span<float> values) override;
  void begin_sum(std::span<double> values) override;
  void wait() override;
  void abandon() override { real_.abandon(); }

  struct Event {
    std::string kind;  // "statistics", "loss": a meeting; "gradients" leave; "wait" for them
    std::int64_t bytes = 0;
    double at = 0;  // seconds of the step

    bool is_meeting() const { return kind != "gradients"; }
  };
  // One step alone. The last event is its end.
  std::vector<Event> rehearse(const std::function<void()>& step);

 private:
  bool notes(const char* kind, std::size_t bytes);

  Collectives& real_;
  bool is_alone_ = false;
  std::chrono::steady_clock::time_point start_;
  std::vector<Event> events_;
};

// By all ranks: so many steps. What they leave is no training any more. Of the step of middle
// length: `events` in order, each with `kind`, `bytes` and the `seconds` of computing before it, of
// the rank that comes last; `rest_seconds` behind the last one; `step_seconds`, all of these. And
// `steps`.
Json rehearsed(Rehearsal& rehearsal, RankGroup& group, int steps,
               const std::function<void()>& step);

// ---- The pure part, for tests.

// since: seconds of every event since the meeting before it, by rank (ranks, events.size()).
// Seconds since the event before, of the rank that comes last: all leave a meeting together.
std::vector<double> seconds_before_events(const std::vector<Rehearsal::Event>& events,
                                          std::span<const double> since);

}  // namespace voxmark

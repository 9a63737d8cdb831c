// A model of the step of several ranks: what each computes, when its messages leave, and how long
// messages take between these ranks. Pure functions; nothing here is measured.
//
//   step = computing + meetings for statistics + one for the loss + gradients that are not hidden
//
// Computing is that of all ranks at once without the exchange (benches/child/rehearsal.h), so that
// ranks of a host share its memory bandwidth as in the step. A meeting takes what a gather of as
// many bytes takes, longer while gradients are on the wire. Messages of gradients follow each
// other; what of them outlasts the backward pass is exposed. Where ranks have no CPU to spare, the
// CPU time of a message is taken from computing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "results/rank_facts.h"
#include "workloads/cases/case_spec.h"
#include "workloads/network/program.h"

namespace voxmark {

// What a step does at a point of exchange.
struct ExchangeEvent {
  enum class Kind { statistics, loss, gradients, wait };
  Kind kind = Kind::statistics;
  std::int64_t bytes = 0;  // of each rank
  double seconds = 0;      // of computing before it, since the event before
};

struct StepTrace {
  std::vector<ExchangeEvent> events;
  double rest_seconds = 0;  // of computing behind the last one

  double computing_seconds() const;
};

// How long messages take, in seconds, by their bytes. Between two sizes that are known it lies on
// the line between these, and behind the last one on the line of the last two.
class Duration {
 public:
  struct Point {
    double bytes = 0;
    double seconds = 0;
  };
  using Points = std::vector<Point>;

  Duration() = default;  // no time at all
  // In order of bytes.
  explicit Duration(Points points) : points_(std::move(points)) {}
  double of(std::int64_t bytes) const;

 private:
  Points points_;
};

struct Wire {
  Duration meeting;
  double meeting_delay = 0;  // more of it while gradients are on the wire
  Duration sum;
  Duration cpu_of_sum;  // that computing loses
};

Wire wire_of(const RankLimits& limits);

struct PredictedStep {
  double seconds = 0;  // computing + statistics + loss + gradients
  double computing = 0;
  double statistics = 0, loss = 0, gradients = 0;  // exposed
  double hidden = 0;                               // of gradients, behind computing
};

PredictedStep predicted_step(const StepTrace& trace, const Wire& network);

// ---- Of ranks that are not there, by arithmetic.

// Of a program whose step takes one rank so long: every op takes the part of it that it has of the
// FLOPs of all.
StepTrace planned_trace(const Program& program, std::int64_t element_bytes, double step_seconds);

// Between `ranks`, each of which sends and receives so many bytes per second at once. A gather
// takes as many latencies as ranks can be halved, and the bytes of all others; a sum is a part of
// all messages to each rank and back. What messages take of the CPU is not in it.
Wire assumed_wire(int ranks, double latency_seconds, double bytes_per_second);

// ---- Of ranks that were measured.

// For a record of a case of ranks: by what its probes tell of them (Probes::ranks), and the limits
// of its ranks. Without seconds, and with a reason, where one of them is missing.
RankModel rank_model(const CaseSpec& spec, const Json& ranks, std::span<const RankLimits> limits);

}  // namespace voxmark

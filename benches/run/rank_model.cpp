#include "benches/run/rank_model.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "backends/ranks/exchange_points.h"
#include "workloads/network/cost.h"

namespace voxmark {
namespace {

using Kind = ExchangeEvent::Kind;

Duration duration_of(const std::vector<MessageLimit>& limits,
                     std::optional<double> MessageLimit::* seconds) {
  Duration::Points points;
  for (const MessageLimit& limit : limits) {
    points.push_back({static_cast<double>(limit.bytes.value_or(0)), (limit.*seconds).value_or(0)});
  }
  return Duration(std::move(points));
}

Kind kind_of_word(const std::string& word) {
  static const std::map<std::string, Kind> kKinds = {{"statistics", Kind::statistics},
                                                     {"loss", Kind::loss},
                                                     {"gradients", Kind::gradients},
                                                     {"wait", Kind::wait}};
  const auto found = kKinds.find(word);
  return found == kKinds.end() ? Kind::statistics : found->second;
}

StepTrace trace_of(const Json& rehearsal) {
  StepTrace trace;
  for (const Json& event : rehearsal.value("events", Json::array())) {
    trace.events.push_back({kind_of_word(event.value("kind", "")),
                            event.value("bytes", std::int64_t{0}), event.value("seconds", 0.0)});
  }
  trace.rest_seconds = rehearsal.value("rest_seconds", 0.0);
  return trace;
}

// One step, event by event.
class Walk {
 public:
  explicit Walk(const Wire& network) : network_(network) {}

  void compute(double seconds) {
    now_ += seconds;
    step_.computing += seconds;
  }

  void take(const ExchangeEvent& event) {
    compute(event.seconds);
    switch (event.kind) {
      case Kind::statistics:
        return meet(event.bytes, step_.statistics);
      case Kind::loss:
        return meet(event.bytes, step_.loss);
      case Kind::gradients:
        return send(event.bytes);
      case Kind::wait:
        step_.gradients = std::max(0.0, wire_free_ - now_);
        step_.hidden = messages_ - step_.gradients;
        now_ += step_.gradients;
        return;
    }
  }

  PredictedStep step() {
    step_.seconds = now_;
    return step_;
  }

 private:
  void meet(std::int64_t bytes, double& booked) {
    const bool is_behind = wire_free_ > now_;
    const double seconds = network_.meeting.of(bytes) + (is_behind ? network_.meeting_delay : 0);
    booked += seconds;
    now_ += seconds;
  }

  void send(std::int64_t bytes) {
    const double seconds = network_.sum.of(bytes);
    wire_free_ = std::max(wire_free_, now_) + seconds;
    messages_ += seconds;
    compute(network_.cpu_of_sum.of(bytes));
  }

  const Wire& network_;
  PredictedStep step_;
  double now_ = 0;
  double wire_free_ = 0;  // when the last message will be summed
  double messages_ = 0;   // seconds of all of them
};

RankModel missing(const std::string& reason) {
  RankModel none;
  none.reason = reason;
  return none;
}

}  // namespace

double StepTrace::computing_seconds() const {
  double seconds = rest_seconds;
  for (const ExchangeEvent& event : events) {
    seconds += event.seconds;
  }
  return seconds;
}

double Duration::of(std::int64_t bytes) const {
  const auto size = static_cast<double>(bytes);
  if (points_.empty()) {
    return 0;
  }
  if (points_.size() == 1 || size <= points_.front().bytes) {
    return points_.front().seconds;
  }
  auto right = std::ranges::find_if(points_, [&](const Point& p) { return p.bytes >= size; });
  right = right == points_.end() ? right - 1 : right;
  const Point& left = *(right - 1);
  const double slope = (right->seconds - left.seconds) / (right->bytes - left.bytes);
  return std::max(0.0, left.seconds + slope * (size - left.bytes));
}

Wire wire_of(const RankLimits& limits) {
  const std::vector<MessageLimit> none;
  Wire network;
  network.meeting = duration_of(limits.gathers.value_or(none), &MessageLimit::seconds);
  network.sum = duration_of(limits.sums.value_or(none), &MessageLimit::seconds);
  if (limits.has_spare_cpus != true) {
    network.cpu_of_sum = duration_of(limits.sums.value_or(none), &MessageLimit::cpu_seconds);
  }
  if (const auto& behind = limits.gather_behind_sum) {
    const double alone = network.meeting.of(behind->bytes.value_or(0));
    network.meeting_delay = std::max(0.0, behind->seconds.value_or(alone) - alone);
  }
  return network;
}

PredictedStep predicted_step(const StepTrace& trace, const Wire& network) {
  Walk walk(network);
  std::ranges::for_each(trace.events, [&](const ExchangeEvent& event) { walk.take(event); });
  walk.compute(trace.rest_seconds);
  return walk.step();
}

StepTrace planned_trace(const Program& program, std::int64_t element_bytes, double step_seconds) {
  const auto all = static_cast<double>(flops(program));
  StepTrace trace;
  auto point_behind = [points = exchange_points(program, element_bytes),
                       next = std::size_t{0}](OpId op) mutable -> const ExchangePoint* {
    return next < points.size() && points[next].after == op ? &points[next++] : nullptr;
  };
  double seconds = 0;  // since the last point
  bool has_waited = false;
  for (OpId id = 0; id < static_cast<OpId>(program.ops.size()); ++id) {
    const Op& op = program.ops[static_cast<std::size_t>(id)];
    if (op.phase == Phase::update && !has_waited) {
      trace.events.push_back({Kind::wait, 0, seconds});
      seconds = 0;
      has_waited = true;
    }
    seconds += step_seconds * static_cast<double>(flops(program, op)) / all;
    while (const ExchangePoint* point = point_behind(id)) {
      const Kind kind = point->kind == ExchangeKind::loss        ? Kind::loss
                        : point->kind == ExchangeKind::gradients ? Kind::gradients
                                                                 : Kind::statistics;
      trace.events.push_back({kind, point->bytes, seconds});
      seconds = 0;
    }
  }
  trace.rest_seconds = seconds;
  return trace;
}

Wire assumed_wire(int ranks, double latency_seconds, double bytes_per_second) {
  const double latencies = std::ceil(std::log2(ranks)) * latency_seconds;
  constexpr double kMany = 1e9;  // bytes: durations are lines
  const auto line = [&](double times_latency, double times_bytes) {
    const double start = times_latency * latencies;
    return Duration(
        Duration::Points{{0, start}, {kMany, start + times_bytes * kMany / bytes_per_second}});
  };
  Wire network;
  network.meeting = line(1, ranks - 1);
  network.sum = line(2, 2.0 * (ranks - 1) / ranks);
  return network;
}

RankModel rank_model(const CaseSpec& spec, const Json& ranks, std::span<const RankLimits> limits) {
  const auto own = std::ranges::find_if(limits, [&](const RankLimits& limit) {
    return limit.ranks == spec.ranks && limit.threads == spec.threads;
  });
  if (own == limits.end()) {
    return missing("the limits of these ranks were not measured");
  }
  if (!own->sums) {
    return missing(own->reason.value_or("the limits of these ranks were not measured"));
  }
  const Json rehearsal = ranks.value("rehearsal", Json());
  if (!rehearsal.is_object()) {
    return missing("the ranks did not rehearse the step");
  }
  const PredictedStep step = predicted_step(trace_of(rehearsal), wire_of(*own));
  RankModel model;
  model.seconds = step.seconds;
  model.computing_seconds = step.computing;
  model.statistics_seconds = step.statistics;
  model.loss_seconds = step.loss;
  model.gradients_seconds = step.gradients;
  model.hidden_seconds = step.hidden;
  return model;
}

}  // namespace voxmark

#include "benches/child/rehearsal.h"

#include <algorithm>
#include <numeric>

namespace voxmark {
namespace {

const char* word_for(ExchangeKind kind) {
  switch (kind) {
    case ExchangeKind::statistics:
      return "statistics";
    case ExchangeKind::loss:
      return "loss";
    case ExchangeKind::gradients:
      break;
  }
  return "gradients";
}

std::vector<double> since_meetings(const std::vector<Rehearsal::Event>& events) {
  std::vector<double> since;
  since.reserve(events.size());
  double meeting = 0;
  for (const Rehearsal::Event& event : events) {
    since.push_back(event.at - meeting);
    meeting = event.is_meeting() ? event.at : meeting;
  }
  return since;
}

}  // namespace

bool Rehearsal::notes(const char* kind, std::size_t bytes) {
  if (is_alone_) {
    const std::chrono::duration<double> at = std::chrono::steady_clock::now() - start_;
    events_.push_back({kind, static_cast<std::int64_t>(bytes), at.count()});
  }
  return is_alone_;
}

void Rehearsal::gather(ExchangeKind kind, std::span<const double> own, std::span<double> all) {
  if (!notes(word_for(kind), own.size_bytes())) {
    return real_.gather(kind, own, all);
  }
  for (std::size_t r = 0; r < static_cast<std::size_t>(ranks()); ++r) {
    std::ranges::copy(own, all.subspan(r * own.size()).begin());
  }
}

void Rehearsal::begin_sum(std::span<float> values) {
  if (!notes("gradients", values.size_bytes())) {
    real_.begin_sum(values);
  }
}

void Rehearsal::begin_sum(std::span<double> values) {
  if (!notes("gradients", values.size_bytes())) {
    real_.begin_sum(values);
  }
}

void Rehearsal::wait() {
  if (!notes("wait", 0)) {
    real_.wait();
  }
}

std::vector<Rehearsal::Event> Rehearsal::rehearse(const std::function<void()>& step) {
  events_.clear();
  is_alone_ = true;
  start_ = std::chrono::steady_clock::now();
  step();
  notes("end", 0);
  is_alone_ = false;
  return events_;
}

std::vector<double> seconds_before_events(const std::vector<Rehearsal::Event>& events,
                                          std::span<const double> since) {
  std::vector<double> seconds(events.size());
  for (std::size_t i = 0; i < since.size(); ++i) {
    double& latest = seconds[i % events.size()];
    latest = std::max(latest, since[i]);
  }
  for (std::size_t i = events.size(); i-- > 1;) {
    if (!events[i - 1].is_meeting()) {
      seconds[i] -= seconds[i - 1];
    }
  }
  return seconds;
}

Json rehearsed(Rehearsal& rehearsal, RankGroup& group, int steps,
               const std::function<void()>& step) {
  std::vector<Rehearsal::Event> events;
  std::vector<std::vector<double>> all;  // by step
  for (int i = 0; i < steps; ++i) {
    group.start_together();
    events = rehearsal.rehearse(step);
    all.push_back(seconds_before_events(events, group.values_of_all(since_meetings(events))));
  }
  const auto total = [](const std::vector<double>& seconds) {
    return std::accumulate(seconds.begin(), seconds.end(), 0.0);
  };
  std::ranges::sort(all, {}, total);
  const std::vector<double>& middle = all[(all.size() - 1) / 2];
  Json told = Json::array();
  for (std::size_t i = 0; i + 1 < events.size(); ++i) {
    told.push_back({{"kind", events[i].kind}, {"bytes", events[i].bytes}, {"seconds", middle[i]}});
  }
  return {{"steps", steps},
          {"step_seconds", total(middle)},
          {"events", std::move(told)},
          {"rest_seconds", middle.back()}};
}

}  // namespace voxmark

#include "benches/child/rank_times.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace voxmark {
namespace {

template <class Value>
double median_of(const auto& steps, Value value) {
  std::vector<double> values;
  values.reserve(steps.size());
  for (const auto& step : steps) {
    values.push_back(value(step));
  }
  if (values.empty()) {
    return 0;
  }
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Of each of own.size() meetings the least over ranks: the last rank to come waited for the wire
// alone.
std::vector<double> least_over_ranks(const std::vector<double>& own, std::span<const double> all) {
  std::vector<double> least = own;
  for (std::size_t i = 0; i < all.size(); ++i) {
    double& value = least[i % own.size()];
    value = std::min(value, all[i]);
  }
  return least;
}

double sum_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

}  // namespace

RankStep rank_step(double seconds, ExchangeTimes own, std::span<const double> waits,
                   std::span<const double> messages) {
  RankStep step;
  step.seconds = seconds;
  const std::vector<double> wire = least_over_ranks(own.waits, waits);
  step.slower_rank = sum_of(own.waits) - sum_of(wire);
  step.messages = sum_of(least_over_ranks(own.messages, messages));
  step.hidden = std::max(0.0, step.messages - wire.back());  // the last wait is for gradients
  step.exchange = std::move(own);
  return step;
}

std::size_t slowest_rank(std::span<const double> step_seconds) {
  return static_cast<std::size_t>(std::ranges::max_element(step_seconds) - step_seconds.begin());
}

void RankTimes::take(StepMessage& step, RankGroup& group) {
  const ExchangeTimes own = group.collectives().times();  // before this meets for its own ends
  const std::vector<double> waits = group.values_of_all(own.waits);
  const std::vector<double> messages = group.values_of_all(own.messages);
  RankStep booked = rank_step(step.step_seconds, own, waits, messages);
  const std::size_t slowest = slowest_rank(group.values_of_all(std::array{step.step_seconds}));
  const std::array told = {step.load_seconds, step.forward_backward_seconds, step.update_seconds};
  const std::vector<double> all = group.values_of_all(told);
  const double* of_slowest = all.data() + slowest * told.size();
  step.load_seconds = of_slowest[0];
  step.forward_backward_seconds = of_slowest[1];
  step.update_seconds = of_slowest[2];
  step.step_seconds = step.forward_backward_seconds + step.update_seconds;
  step.readings = group.json_of_all(step.readings).at(slowest);
  if (!step.warmup) {
    booked.exchange.waits = booked.exchange.messages = {};  // a training has many steps
    steps_.push_back(std::move(booked));
    slowest_.push_back(slowest);
  }
}

Json RankTimes::of_rank() const {
  const auto median = [&](auto value) { return median_of(steps_, value); };
  return {{"step_seconds", median([](const RankStep& s) { return s.seconds; })},
          {"statistics_seconds", median([](const RankStep& s) { return s.exchange.statistics; })},
          {"loss_seconds", median([](const RankStep& s) { return s.exchange.loss; })},
          {"gradients_seconds", median([](const RankStep& s) { return s.exchange.gradients; })},
          {"slower_rank_seconds", median([](const RankStep& s) { return s.slower_rank; })},
          {"gradient_message_seconds", median([](const RankStep& s) { return s.messages; })},
          {"hidden_seconds", median([](const RankStep& s) { return s.hidden; })},
          {"bytes_sent", median([](const RankStep& s) { return s.exchange.bytes_sent; })}};
}

}  // namespace voxmark

#include "benches/child/rank_times.h"

#include <algorithm>
#include <array>

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

// Whoever came last to a meeting waited for the wire alone: what others waited more, they waited
// for it.
double slower_rank_seconds(const std::vector<double>& own, const std::vector<double>& all) {
  double seconds = 0;
  for (std::size_t i = 0; i < own.size(); ++i) {
    double least = own[i];
    for (std::size_t r = i; r < all.size(); r += own.size()) {
      least = std::min(least, all[r]);
    }
    seconds += own[i] - least;
  }
  return seconds;
}

}  // namespace

void RankTimes::take(StepMessage& step, RankGroup& group) {
  Step own{step.step_seconds, group.collectives().take_times(), 0};
  own.slower_rank =
      slower_rank_seconds(own.exchange.waits, group.values_of_all(own.exchange.waits));
  const std::array told = {step.load_seconds, step.forward_backward_seconds, step.update_seconds};
  const std::vector<double> all = group.values_of_all(told);
  double slowest = -1;
  for (std::size_t r = 0; r < all.size(); r += told.size()) {
    const double seconds = all[r + 1] + all[r + 2];
    if (seconds > slowest) {
      slowest = seconds;
      step.load_seconds = all[r];
      step.forward_backward_seconds = all[r + 1];
      step.update_seconds = all[r + 2];
      step.step_seconds = seconds;
    }
  }
  if (!step.warmup) {
    steps_.push_back(std::move(own));
  }
}

Json RankTimes::of_rank() const {
  const auto median = [&](auto value) { return median_of(steps_, value); };
  return {{"step_seconds", median([](const Step& s) { return s.seconds; })},
          {"statistics_seconds", median([](const Step& s) { return s.exchange.statistics; })},
          {"loss_seconds", median([](const Step& s) { return s.exchange.loss; })},
          {"gradients_seconds", median([](const Step& s) { return s.exchange.gradients; })},
          {"slower_rank_seconds", median([](const Step& s) { return s.slower_rank; })},
          {"gradient_message_seconds",
           median([](const Step& s) { return s.exchange.gradient_messages; })},
          {"hidden_seconds", median([](const Step& s) {
             return std::max(0.0, s.exchange.gradient_messages - s.exchange.gradients);
           })},
          {"bytes_sent", median([](const Step& s) { return s.exchange.bytes_sent; })}};
}

}  // namespace voxmark

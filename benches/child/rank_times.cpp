#include "benches/child/rank_times.h"

#include <algorithm>
#include <array>
#include <numeric>

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
std::vector<double> least_of_ranks(const std::vector<double>& own, const std::vector<double>& all) {
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

void RankTimes::take(StepMessage& step, RankGroup& group) {
  Step own{step.step_seconds, group.collectives().times()};  // before this meets for its own ends
  const std::vector<double> wire =
      least_of_ranks(own.exchange.waits, group.values_of_all(own.exchange.waits));
  own.slower_rank = sum_of(own.exchange.waits) - sum_of(wire);
  own.messages =
      sum_of(least_of_ranks(own.exchange.messages, group.values_of_all(own.exchange.messages)));
  own.hidden = std::max(0.0, own.messages - wire.back());  // the last wait is for gradients
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
          {"gradient_message_seconds", median([](const Step& s) { return s.messages; })},
          {"hidden_seconds", median([](const Step& s) { return s.hidden; })},
          {"bytes_sent", median([](const Step& s) { return s.exchange.bytes_sent; })}};
}

}  // namespace voxmark

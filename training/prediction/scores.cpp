#include "training/prediction/scores.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <numeric>

namespace voxmark {
namespace {

constexpr double kSmooth = kDiceSmooth;

double dice(double both, double first, double second) {
  return (2 * both + kSmooth) / (first + second + kSmooth);
}

// Background is the first of several channels.
std::size_t first_label_channel(std::size_t channels) { return channels == 1 ? 0 : 1; }

void add_to(std::vector<double>& sums, const std::vector<double>& values) {
  if (sums.empty()) {
    sums.resize(values.size());
  }
  std::transform(sums.begin(), sums.end(), values.begin(), sums.begin(), std::plus<>());
}

// The channel that a voxel's label belongs to.
std::size_t channel_of(std::uint8_t label, std::size_t channels) {
  return channels == 1 ? (label > 0 ? 1U : 0U) : label;
}

// Calls visit(voxel of (D, H, W), voxel of NIfTI's order) for every voxel.
template <class Visit>
void for_each_pair(const Dims& dims, const Visit& visit) {
  std::size_t voxel = 0;
  for (std::int64_t d = 0; d < dims.d; ++d) {
    for (std::int64_t h = 0; h < dims.h; ++h) {
      for (std::int64_t w = 0; w < dims.w; ++w) {
        visit(voxel++, static_cast<std::size_t>(d + dims.d * (h + dims.h * w)));
      }
    }
  }
}

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

std::optional<double> number_if_any(const Json& json) {
  return json.is_null() ? std::nullopt : std::optional(json.get<double>());
}

std::uint8_t hard_label(std::span<const float> probabilities) {
  if (probabilities.size() == 1) {
    return probabilities[0] > 0.5F ? 1 : 0;
  }
  return static_cast<std::uint8_t>(std::max_element(probabilities.begin(), probabilities.end()) -
                                   probabilities.begin());
}

}  // namespace

double Scores::mean_hard_dice() const {
  return std::accumulate(hard_dice.begin(), hard_dice.end(), 0.0) /
         static_cast<double>(hard_dice.size());
}

std::optional<double> Scores::mean_surface_dice() const {
  KnownMean known;
  for (const std::optional<double>& value : surface_dice) {
    known.add(value);
  }
  return known.mean();
}

Scores scores_of(std::span<const ClassSums> sums, std::int64_t images, std::int64_t voxels) {
  const std::size_t channels = sums.size() / static_cast<std::size_t>(images);
  const auto count = static_cast<double>(sums.size());
  double both = 0;
  double either = 0;
  for (const ClassSums& own : sums) {
    both += own.prediction_target + kSmooth;
    either += own.target + own.prediction + kSmooth;
  }
  Scores scores;
  scores.loss = -std::log(2 * both / count) + std::log(either / count);

  const std::size_t first = first_label_channel(channels);
  scores.soft_dice.resize(channels - first);
  scores.hard_dice.resize(channels - first);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const ClassSums& own = sums[i];
    const std::size_t channel = i % channels;
    // A voxel is right when the channel of its label is the hard prediction.
    const double right = channels == 1 ? own.correct : own.target_hard;
    scores.accuracy += right / static_cast<double>(voxels * images);
    if (channel < first) {
      continue;
    }
    const auto share = 1 / static_cast<double>(images);
    scores.soft_dice[channel - first] +=
        share * dice(own.prediction_target, own.prediction, own.target);
    scores.hard_dice[channel - first] += share * dice(own.target_hard, own.hard, own.target);
  }
  if (channels == 1) {
    scores.whole_dice = scores.hard_dice.front();
  }
  return scores;
}

Scores scores_of(std::span<const float> prediction, std::int64_t channels, const Dims& dims,
                 std::span<const std::uint8_t> labels) {
  const auto width = static_cast<std::size_t>(channels);
  assert(prediction.size() == labels.size() * width);
  std::vector<ClassSums> sums(width);
  ClassSums whole;
  for_each_pair(dims, [&](std::size_t voxel, std::size_t nifti_voxel) {
    const auto probabilities = prediction.subspan(voxel * width, width);
    const std::size_t predicted = hard_label(probabilities);
    const std::size_t wanted = channel_of(labels[nifti_voxel], width);
    for (std::size_t channel = 0; channel < width; ++channel) {
      // With one channel, label 1 is what the channel says.
      const std::size_t meaning = width == 1 ? 1 : channel;
      const double p = static_cast<double>(probabilities[channel]);
      const double t = wanted == meaning ? 1 : 0;
      const double r = predicted == meaning ? 1 : 0;
      ClassSums& own = sums[channel];
      own.prediction_target += p * t;
      own.prediction += p;
      own.target += t;
      own.target_hard += t * r;
      own.hard += r;
      own.correct += t == r ? 1 : 0;
    }
    whole.target += wanted > 0 ? 1 : 0;
    whole.hard += predicted > 0 ? 1 : 0;
    whole.target_hard += wanted > 0 && predicted > 0 ? 1 : 0;
  });
  Scores scores = scores_of(sums, 1, dims.voxels());
  scores.whole_dice = dice(whole.target_hard, whole.hard, whole.target);
  return scores;
}

std::vector<std::uint8_t> hard_labels(std::span<const float> prediction, std::int64_t channels,
                                      const Dims& dims) {
  const auto width = static_cast<std::size_t>(channels);
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(dims.voxels()));
  for_each_pair(dims, [&](std::size_t voxel, std::size_t nifti_voxel) {
    labels[nifti_voxel] = hard_label(prediction.subspan(voxel * width, width));
  });
  return labels;
}

void KnownMean::add(const std::optional<double>& value) {
  sum_ += value.value_or(0);
  count_ += value ? 1 : 0;
}

std::optional<double> KnownMean::mean() const {
  return count_ > 0 ? std::optional(sum_ / static_cast<double>(count_)) : std::nullopt;
}

void ScoreMean::add(const Scores& scores) {
  ++count_;
  sum_.loss += scores.loss;
  sum_.accuracy += scores.accuracy;
  add_to(sum_.soft_dice, scores.soft_dice);
  add_to(sum_.hard_dice, scores.hard_dice);
  if (scores.whole_dice) {
    sum_.whole_dice = sum_.whole_dice.value_or(0) + *scores.whole_dice;
  }
  surface_dice_.resize(std::max(surface_dice_.size(), scores.surface_dice.size()));
  for (std::size_t label = 0; label < scores.surface_dice.size(); ++label) {
    surface_dice_[label].add(scores.surface_dice[label]);
  }
  whole_surface_dice_.add(scores.whole_surface_dice);
}

Scores ScoreMean::mean() const {
  assert(count_ > 0);
  const auto count = static_cast<double>(count_);
  Scores mean = sum_;
  mean.loss /= count;
  mean.accuracy /= count;
  for (double& value : mean.soft_dice) {
    value /= count;
  }
  for (double& value : mean.hard_dice) {
    value /= count;
  }
  if (mean.whole_dice) {
    *mean.whole_dice /= count;
  }
  for (const KnownMean& label : surface_dice_) {
    mean.surface_dice.push_back(label.mean());
  }
  mean.whole_surface_dice = whole_surface_dice_.mean();
  return mean;
}

Json ScoreMean::state() const { return {{"count", count_}, {"sum", to_json(sum_)}}; }

ScoreMean ScoreMean::from_state(const Json& state) {
  ScoreMean mean;
  mean.count_ = state.at("count").get<std::int64_t>();
  mean.sum_ = scores_from_json(state.at("sum"));
  return mean;
}

Json to_json(const Scores& scores) {
  Json json = {{"loss", scores.loss},
               {"accuracy", scores.accuracy},
               {"soft_dice", scores.soft_dice},
               {"hard_dice", scores.hard_dice},
               {"whole_dice", number_or_null(scores.whole_dice)}};
  if (!scores.surface_dice.empty()) {
    json["surface_dice"] = Json::array();
    for (const std::optional<double>& value : scores.surface_dice) {
      json["surface_dice"].push_back(number_or_null(value));
    }
    json["whole_surface_dice"] = number_or_null(scores.whole_surface_dice);
  }
  return json;
}

Scores scores_from_json(const Json& json) {
  Scores scores;
  scores.loss = json.at("loss").get<double>();
  scores.accuracy = json.at("accuracy").get<double>();
  scores.soft_dice = json.at("soft_dice").get<std::vector<double>>();
  scores.hard_dice = json.at("hard_dice").get<std::vector<double>>();
  scores.whole_dice = number_if_any(json.at("whole_dice"));
  for (const Json& value : json.value("surface_dice", Json::array())) {
    scores.surface_dice.push_back(number_if_any(value));
  }
  scores.whole_surface_dice = number_if_any(json.value("whole_surface_dice", Json()));
  return scores;
}

}  // namespace voxmark

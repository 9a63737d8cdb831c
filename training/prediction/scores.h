// How good a prediction is: loss, accuracy, soft and hard Dice, from the sums that backends return
// or that are taken over a predicted volume.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "backends/backend.h"
#include "base/json.h"
#include "workloads/images/preprocess.h"

namespace voxmark {

struct Scores {
  double loss = 0;                // of the paper: DiceLoss in workloads/network/program.h
  double accuracy = 0;            // share of voxels whose label is right
  std::vector<double> soft_dice;  // per label, background left out
  std::vector<double> hard_dice;
  // Hard Dice of any label against any. Nothing where the sums of several classes cannot tell.
  std::optional<double> whole_dice;
  // surface_dice.h, per label and of any label against any. Only whole images are scored so: of
  // others the first is empty. Nothing where neither truth nor prediction has the label.
  std::vector<std::optional<double>> surface_dice{};
  std::optional<double> whole_surface_dice{};

  double mean_hard_dice() const;                    // over labels
  std::optional<double> mean_surface_dice() const;  // over those that have one
};

// Of sums (images, channels) over `voxels` per image; Dice is the mean over images.
Scores scores_of(std::span<const ClassSums> sums, std::int64_t images, std::int64_t voxels);

// Of one predicted volume (D, H, W, channels) against labels in NIfTI's order (x fastest).
Scores scores_of(std::span<const float> prediction, std::int64_t channels, const Dims& dims,
                 std::span<const std::uint8_t> labels);

// The label of each voxel in NIfTI's order: p > 0.5 for one channel, else the first largest.
std::vector<std::uint8_t> hard_labels(std::span<const float> prediction, std::int64_t channels,
                                      const Dims& dims);

// The mean of values that not every label or case has.
class KnownMean {
 public:
  void add(const std::optional<double>& value);
  std::optional<double> mean() const;  // nothing of no value

 private:
  double sum_ = 0;
  std::int64_t count_ = 0;
};

// Means over batches or cases, each of the same weight; of surfaces over those that have a value.
class ScoreMean {
 public:
  void add(const Scores& scores);
  std::int64_t count() const { return count_; }
  Scores mean() const;  // of at least one

  // What a checkpoint in the middle of an epoch keeps: every double comes back bit by bit. Surfaces
  // are not kept, because no step has them.
  Json state() const;
  static ScoreMean from_state(const Json& state);

 private:
  std::int64_t count_ = 0;
  Scores sum_;
  std::vector<KnownMean> surface_dice_;
  KnownMean whole_surface_dice_;
};

// Keys loss, accuracy, soft_dice, hard_dice, whole_dice; surface_dice and whole_surface_dice where
// surfaces were scored, null where there is no value.
Json to_json(const Scores& scores);
Scores scores_from_json(const Json& json);

}  // namespace voxmark

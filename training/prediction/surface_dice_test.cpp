#include "training/prediction/surface_dice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "training/prediction/distance.h"
#include "training/prediction/surface_elements.h"
#include "workloads/data_sets/phantom.h"

namespace voxmark {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
const Spacing kSpacings[] = {{1, 1, 1}, {0.7, 1.3, 2.1}, {3, 0.5, 0.5}};

std::vector<std::uint8_t> random_mask(std::mt19937& random, std::int64_t voxels, double share) {
  std::bernoulli_distribution inside(share);
  std::vector<std::uint8_t> mask(static_cast<std::size_t>(voxels));
  for (std::uint8_t& voxel : mask) {
    voxel = inside(random) ? 1 : 0;
  }
  return mask;
}

std::vector<std::uint8_t> box_mask(const Dims& dims, const Dims& first, const Dims& last) {
  std::vector<std::uint8_t> mask(static_cast<std::size_t>(dims.voxels()));
  for (std::int64_t z = first.w; z <= last.w; ++z) {
    for (std::int64_t y = first.h; y <= last.h; ++y) {
      for (std::int64_t x = first.d; x <= last.d; ++x) {
        mask[static_cast<std::size_t>(x + dims.d * (y + dims.h * z))] = 1;
      }
    }
  }
  return mask;
}

double distance(const std::array<double, 3>& a, const std::array<double, 3>& b,
                const Spacing& spacing) {
  return std::hypot((a[0] - b[0]) * spacing[0], (a[1] - b[1]) * spacing[1],
                    (a[2] - b[2]) * spacing[2]);
}

// The definition word by word: every corner of the image's voxels against every other.
struct Corner {
  std::array<double, 3> at{};
  unsigned code = 0;
};

std::vector<Corner> surface_of(const std::vector<std::uint8_t>& mask, const Dims& dims) {
  const auto inside = [&](std::int64_t x, std::int64_t y, std::int64_t z) {
    const bool there = x >= 0 && x < dims.d && y >= 0 && y < dims.h && z >= 0 && z < dims.w;
    return there && mask[static_cast<std::size_t>(x + dims.d * (y + dims.h * z))] != 0;
  };
  std::vector<Corner> corners;
  for (std::int64_t z = 0; z <= dims.w; ++z) {
    for (std::int64_t y = 0; y <= dims.h; ++y) {
      for (std::int64_t x = 0; x <= dims.d; ++x) {
        unsigned code = 0;
        for (unsigned bit = 0; bit < 8; ++bit) {
          const bool set =
              inside(x - 1 + (bit & 1U), y - 1 + (bit >> 1U & 1U), z - 1 + (bit >> 2U));
          code |= set ? 1U << bit : 0U;
        }
        if (code != 0 && code != 255) {
          corners.push_back(
              {{static_cast<double>(x), static_cast<double>(y), static_cast<double>(z)}, code});
        }
      }
    }
  }
  return corners;
}

double by_definition(const std::vector<std::uint8_t>& truth,
                     const std::vector<std::uint8_t>& prediction, const Dims& dims,
                     const SurfaceScale& scale) {
  const auto areas = surface_element_areas(scale.spacing);
  const std::vector<Corner> surfaces[] = {surface_of(truth, dims), surface_of(prediction, dims)};
  double within = 0;
  double all = 0;
  for (const int own : {0, 1}) {
    for (const Corner& corner : surfaces[own]) {
      double least = kInfinite;
      for (const Corner& other : surfaces[1 - own]) {
        least = std::min(least, distance(corner.at, other.at, scale.spacing));
      }
      all += areas[corner.code];
      within += least <= scale.tolerance ? areas[corner.code] : 0;
    }
  }
  return within / all;
}

TEST(SquaredDistances, AreThoseOfTheNearestOfAllPoints) {
  std::mt19937 random(7);
  for (const Spacing& spacing : kSpacings) {
    for (const double share : {0.0, 0.004, 0.05, 0.6}) {
      const Extents extents = {9, 6, 11};
      const auto mask = random_mask(random, 9 * 6 * 11, share);
      std::vector<double> squares(mask.size());
      std::vector<std::array<double, 3>> places;
      for (std::size_t i = 0; i < mask.size(); ++i) {
        squares[i] = mask[i] != 0 ? 0 : kInfinite;
        places.push_back({static_cast<double>(i % 9), static_cast<double>(i / 9 % 6),
                          static_cast<double>(i / 54)});
      }
      squared_distances(squares, extents, spacing);
      for (std::size_t i = 0; i < mask.size(); ++i) {
        double least = kInfinite;
        for (std::size_t j = 0; j < mask.size(); ++j) {
          least = mask[j] != 0 ? std::min(least, distance(places[i], places[j], spacing)) : least;
        }
        if (least == kInfinite) {
          ASSERT_EQ(squares[i], kInfinite);
        } else {
          ASSERT_NEAR(std::sqrt(squares[i]), least, 1e-12) << i << " of share " << share;
        }
      }
    }
  }
}

TEST(SurfaceElementAreas, ByHand) {
  const auto unit = surface_element_areas({1, 1, 1});
  EXPECT_EQ(unit[0], 0);
  EXPECT_EQ(unit[255], 0);
  EXPECT_NEAR(unit[0b00000001], std::sqrt(3) / 8, 1e-12);      // a corner
  EXPECT_NEAR(unit[0b00000011], std::sqrt(2) / 2, 1e-12);      // an edge
  EXPECT_NEAR(unit[0b00001111], 1, 1e-12);                     // a side
  EXPECT_NEAR(unit[0b00001001], 2 * std::sqrt(3) / 8, 1e-12);  // corners across a side
  EXPECT_NEAR(unit[0b11110110], 2 * std::sqrt(3) / 8, 1e-12);  // and all but those
  EXPECT_NEAR(unit[0b10010110], 4 * std::sqrt(3) / 8, 1e-12);  // every other corner
  EXPECT_NEAR(unit[0b00010111], 6 * std::sqrt(3) / 8, 1e-12);  // a corner and its neighbours
  const auto flat = surface_element_areas({1, 2, 3});
  EXPECT_NEAR(flat[0b00001111], 2, 1e-12);  // z = 0
  EXPECT_NEAR(flat[0b01010101], 6, 1e-12);  // x = 0
  EXPECT_NEAR(flat[0b00000001], std::hypot(0.5, 0.75, 1.5) / 2, 1e-12);
}

TEST(SurfaceElementAreas, AreTheSameFromBothSidesAndOfEveryTurn) {
  for (const Spacing& spacing : kSpacings) {
    const auto areas = surface_element_areas(spacing);
    for (unsigned code = 0; code < 256; ++code) {
      EXPECT_NEAR(areas[code], areas[255 - code], 1e-12) << code;
      unsigned mirrored = 0;  // along x
      for (unsigned bit = 0; bit < 8; ++bit) {
        mirrored |= (code >> bit & 1U) << (bit ^ 1U);
      }
      EXPECT_NEAR(areas[code], areas[mirrored], 1e-12) << code;
    }
  }
}

TEST(SurfaceElementAreas, AddUpToTheSurfaceOfABall) {
  constexpr double kRadius = 12;
  const Dims dims{30, 30, 30};
  std::vector<std::uint8_t> ball(static_cast<std::size_t>(dims.voxels()));
  for (std::size_t i = 0; i < ball.size(); ++i) {
    const auto x = static_cast<double>(i % 30);
    const auto y = static_cast<double>(i / 30 % 30);
    const auto z = static_cast<double>(i / 900);
    ball[i] = std::hypot(x - 14.5, y - 14.5, z - 14.5) < kRadius ? 1 : 0;
  }
  const auto areas = surface_element_areas({1, 1, 1});
  double sum = 0;
  for (const Corner& corner : surface_of(ball, dims)) {
    sum += areas[corner.code];
  }
  // Of a mask without grey values the surface is rough; its voxels' faces have 1.5 times the area.
  const double smooth = 4 * std::numbers::pi * kRadius * kRadius;
  EXPECT_GT(sum, smooth);
  EXPECT_LT(sum, 1.12 * smooth);
}

TEST(SurfaceDice, IsWhatItsDefinitionSays) {
  std::mt19937 random(11);
  const Dims dims{7, 5, 6};
  for (const Spacing& spacing : kSpacings) {
    for (const double tolerance : {0.0, 0.5, 1.0, 1.45, 2.9}) {
      for (const double share : {0.02, 0.3, 0.9}) {
        const SurfaceScale scale{spacing, tolerance};
        const auto truth = random_mask(random, dims.voxels(), share);
        const auto prediction = random_mask(random, dims.voxels(), 0.3);
        const std::optional<double> found = surface_dice(truth, prediction, dims, scale);
        ASSERT_TRUE(found);
        ASSERT_NEAR(*found, by_definition(truth, prediction, dims, scale), 1e-12)
            << spacing[0] << " mm, within " << tolerance << ", share " << share;
      }
    }
  }
}

TEST(SurfaceDice, AllowsAsMuchAsTheToleranceInMillimetres) {
  const Dims dims{12, 10, 8};
  const auto truth = box_mask(dims, {2, 2, 2}, {6, 6, 5});
  const auto moved = box_mask(dims, {4, 2, 2}, {8, 6, 5});  // by two voxels along x
  const Spacing spacing{1.5, 1, 1};
  EXPECT_EQ(surface_dice(truth, moved, dims, {spacing, 3}), 1);
  EXPECT_LT(surface_dice(truth, moved, dims, {spacing, 2.99}).value(), 1);
  EXPECT_GT(surface_dice(truth, moved, dims, {spacing, 0}).value(), 0);  // the sides are the same
  EXPECT_EQ(surface_dice(truth, truth, dims, {spacing, 0}), 1);
}

TEST(SurfaceDice, OfAStructureAtTheBorderCountsItsWholeSurface) {
  const Dims dims{6, 6, 6};
  const auto all = box_mask(dims, {0, 0, 0}, {5, 5, 5});
  const auto middle = box_mask(dims, {1, 1, 1}, {4, 4, 4});
  EXPECT_EQ(surface_dice(all, all, dims, {}), 1);
  EXPECT_EQ(surface_dice(all, middle, dims, {{1, 1, 1}, 0.9}), 0);
  // The corners of `all` lie further from `middle`.
  EXPECT_LT(surface_dice(all, middle, dims, {{1, 1, 1}, 1}).value(), 1);
  EXPECT_EQ(surface_dice(all, middle, dims, {{1, 1, 1}, 1.74}), 1);
}

TEST(SurfaceDice, OfNothing) {
  const Dims dims{4, 4, 4};
  const std::vector<std::uint8_t> none(static_cast<std::size_t>(dims.voxels()));
  const auto some = box_mask(dims, {1, 1, 1}, {2, 2, 2});
  EXPECT_EQ(surface_dice(none, none, dims, {}), std::nullopt);
  EXPECT_EQ(surface_dice(none, some, dims, {}), 0);
  EXPECT_EQ(surface_dice(some, none, dims, {{1, 1, 1}, 1000}), 0);
}

TEST(SurfaceDice, TakesASpacingRoundedToFloatForTheOneThatIsMeant) {
  const Dims dims{12, 10, 8};
  const auto truth = box_mask(dims, {2, 2, 2}, {6, 6, 5});
  const auto moved = box_mask(dims, {3, 2, 2}, {7, 6, 5});
  EXPECT_EQ(surface_dice(truth, moved, dims, {{1.0000001, 1, 1}, 1}), 1);
  EXPECT_EQ(surface_warning({{1.0000001, 1.0000001, 2}, 1}), "");
}

TEST(SurfaceDice, IsNothingWhereVoxelsHaveNoSize) {
  const Dims dims{4, 4, 4};
  const auto some = box_mask(dims, {1, 1, 1}, {2, 2, 2});
  EXPECT_EQ(surface_dice(some, some, dims, {{1, 0, 1}, 1}), std::nullopt);
}

TEST(AddSurfaceDice, ScoresEveryLabelAndTheWhole) {
  const Dims dims{4, 3, 2};
  const auto voxels = static_cast<std::size_t>(dims.voxels());
  std::vector<std::uint8_t> labels(voxels);
  labels[0] = 1;  // x = 0, y = 0, z = 0
  labels[1] = 2;
  std::vector<float> prediction(voxels * 4);
  for (std::size_t voxel = 0; voxel < voxels; ++voxel) {
    prediction[voxel * 4] = 0.9F;  // background
  }
  // As (D, H, W, channels): x = 0 and x = 1 of y = 0, z = 0.
  prediction[0 * 4 + 1] = 1;
  prediction[std::size_t{1 * 3 * 2} * 4 + 1] = 1;  // label 1, where 2 is right
  Scores scores;
  add_surface_dice(scores, labels, hard_labels(prediction, 4, dims), 4, dims, {{1, 1, 1}, 0});
  ASSERT_EQ(scores.surface_dice.size(), 3U);
  EXPECT_GT(scores.surface_dice[0].value(), 0);
  EXPECT_LT(scores.surface_dice[0].value(), 1);
  EXPECT_EQ(scores.surface_dice[1], 0);
  EXPECT_EQ(scores.surface_dice[2], std::nullopt);
  EXPECT_EQ(scores.whole_surface_dice, 1);
  EXPECT_NEAR(scores.mean_surface_dice().value(), *scores.surface_dice[0] / 2, 1e-12);
  const std::string text = surface_text(scores, 0.5);
  EXPECT_NE(text.find(", 0.000, none) whole 1.0000 at 0.5 mm"), std::string::npos) << text;
}

TEST(AddSurfaceDice, OfOneClassTakesAnyLabel) {
  const std::vector<float> prediction = {0.9F, 0.2F, 0.6F, 0.1F};
  const std::vector<std::uint8_t> labels = {2, 1, 0, 0};  // where the prediction is
  const Dims dims{2, 1, 2};
  Scores scores;
  add_surface_dice(scores, labels, hard_labels(prediction, 1, dims), 1, dims, {{1, 1, 1}, 0});
  EXPECT_EQ(scores.surface_dice, std::vector<std::optional<double>>{1.0});
  EXPECT_EQ(scores.whole_surface_dice, 1);
  EXPECT_EQ(surface_text(scores, 1), "surface Dice 1.0000 at 1 mm");
}

TEST(SurfaceText, IsNothingOfScoresWithoutSurfaces) { EXPECT_EQ(surface_text(Scores{}, 1), ""); }

TEST(SpacingOf, IsThatOfTheGridHoweverItIsTurned) {
  EXPECT_EQ(spacing_of(phantom_affine({192, 96, 40})), (Spacing{1, 2, 4}));
  const Affine turned = {{{0, -2, 0, 5}, {3, 0, 0, 6}, {0, 0, 0.5, 7}}};
  EXPECT_EQ(spacing_of(turned), (Spacing{3, 2, 0.5}));
}

TEST(SurfaceWarning, OfAToleranceBelowAVoxel) {
  EXPECT_EQ(surface_warning({{1, 1, 3}, 1}), "");
  EXPECT_EQ(surface_warning({{6, 6, 5}, 1}),
            "surface Dice at 1 mm: voxels lie 6 x 6 x 5 mm apart, so a surface counts only where "
            "both are equal; --surface-tolerance 5 allows one voxel");
}

}  // namespace
}  // namespace voxmark

#include "training/prediction/surface_dice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <vector>

#include "training/prediction/distance.h"
#include "training/prediction/surface_elements.h"

namespace voxmark {
namespace {

// Files hold spacings as float32, of which one voxel of 1 mm may be 1.0000001 mm.
constexpr double kRounding = 1e-6;

bool is_within(double distance, double tolerance) {
  return distance <= tolerance * (1 + kRounding);
}

using Mask = std::span<const std::uint8_t>;

Extents extents_of(const Dims& dims) {
  return {static_cast<std::size_t>(dims.d), static_cast<std::size_t>(dims.h),
          static_cast<std::size_t>(dims.w)};
}

// Of voxels: first and last of each axis.
struct Box {
  std::array<std::size_t, 3> first{};
  std::array<std::size_t, 3> last{};
};

// Around all that is inside one of the masks, or nothing.
std::optional<Box> box_around(Mask a, Mask b, const Extents& extents) {
  std::optional<Box> box;
  std::size_t voxel = 0;
  for (std::size_t z = 0; z < extents[2]; ++z) {
    for (std::size_t y = 0; y < extents[1]; ++y) {
      for (std::size_t x = 0; x < extents[0]; ++x, ++voxel) {
        if (a[voxel] == 0 && b[voxel] == 0) {
          continue;
        }
        const std::array<std::size_t, 3> at = {x, y, z};
        if (!box) {
          box = Box{at, at};
        }
        for (std::size_t axis = 0; axis < 3; ++axis) {
          box->first[axis] = std::min(box->first[axis], at[axis]);
          box->last[axis] = std::max(box->last[axis], at[axis]);
        }
      }
    }
  }
  return box;
}

// The corners of a box's voxels, one more along each axis than there are voxels.
Extents corners_of(const Box& box) {
  Extents corners{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    corners[axis] = box.last[axis] - box.first[axis] + 2;
  }
  return corners;
}

// Of each corner: which of the eight voxels around it are inside, as surface_element_areas() has
// it.
std::vector<std::uint8_t> codes_of(Mask mask, const Extents& extents, const Box& box) {
  const Extents corners = corners_of(box);
  std::vector<std::uint8_t> codes(corners[0] * corners[1] * corners[2]);
  for (std::size_t z = box.first[2]; z <= box.last[2]; ++z) {
    for (std::size_t y = box.first[1]; y <= box.last[1]; ++y) {
      for (std::size_t x = box.first[0]; x <= box.last[0]; ++x) {
        if (mask[x + extents[0] * (y + extents[1] * z)] == 0) {
          continue;
        }
        // It is the voxel 1, 1, 1 of its own first corner, and 0, 0, 0 of its last.
        for (unsigned corner = 0; corner < 8; ++corner) {
          const std::size_t i = x - box.first[0] + (corner & 1U);
          const std::size_t j = y - box.first[1] + (corner >> 1U & 1U);
          const std::size_t k = z - box.first[2] + (corner >> 2U);
          codes[i + corners[0] * (j + corners[1] * k)] |=
              static_cast<std::uint8_t>(1U << (7U - corner));
        }
      }
    }
  }
  return codes;
}

bool is_surface(std::uint8_t code) { return code != 0 && code != 255; }

struct Overlap {
  double within = 0;  // square millimetres
  double all = 0;
};

// The part of the surface `own` that lies near the surface `other`.
Overlap overlap(const std::vector<std::uint8_t>& own, const std::vector<std::uint8_t>& other,
                const Extents& corners, const std::array<double, 256>& areas,
                const SurfaceScale& scale) {
  std::vector<double> squares(other.size());
  std::ranges::transform(other, squares.begin(), [](std::uint8_t code) {
    return is_surface(code) ? 0 : std::numeric_limits<double>::infinity();
  });
  squared_distances(squares, corners, scale.spacing);
  Overlap found;
  for (std::size_t i = 0; i < own.size(); ++i) {
    if (!is_surface(own[i])) {
      continue;
    }
    found.all += areas[own[i]];
    found.within += is_within(std::sqrt(squares[i]), scale.tolerance) ? areas[own[i]] : 0;
  }
  return found;
}

std::string value_text(const std::optional<double>& value, int digits) {
  return value ? fmt::format("{:.{}f}", *value, digits) : "none";
}

}  // namespace

Spacing spacing_of(const Affine& affine) {
  Spacing spacing{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    spacing[axis] = std::hypot(affine[0][axis], affine[1][axis], affine[2][axis]);
  }
  return spacing;
}

std::optional<double> surface_dice(Mask truth, Mask prediction, const Dims& dims,
                                   const SurfaceScale& scale) {
  assert(truth.size() == static_cast<std::size_t>(dims.voxels()));
  assert(prediction.size() == truth.size());
  const Extents extents = extents_of(dims);
  const std::optional<Box> box = box_around(truth, prediction, extents);
  if (!box || !(std::ranges::min(scale.spacing) > 0)) {
    return std::nullopt;
  }
  const std::array<double, 256> areas = surface_element_areas(scale.spacing);
  const Extents corners = corners_of(*box);
  const std::vector<std::uint8_t> wanted = codes_of(truth, extents, *box);
  const std::vector<std::uint8_t> found = codes_of(prediction, extents, *box);
  const Overlap of_truth = overlap(wanted, found, corners, areas, scale);
  const Overlap of_prediction = overlap(found, wanted, corners, areas, scale);
  return (of_truth.within + of_prediction.within) / (of_truth.all + of_prediction.all);
}

void add_surface_dice(Scores& scores, std::span<const std::uint8_t> labels,
                      std::span<const std::uint8_t> predicted, std::int64_t channels,
                      const Dims& dims, const SurfaceScale& scale) {
  scores.whole_surface_dice = surface_dice(labels, predicted, dims, scale);
  if (channels == 1) {  // any label is what the channel says
    scores.surface_dice = {scores.whole_surface_dice};
    return;
  }
  scores.surface_dice.clear();
  std::vector<std::uint8_t> wanted_mask(labels.size());
  std::vector<std::uint8_t> found_mask(labels.size());
  for (std::int64_t label = 1; label < channels; ++label) {
    const auto is_label = [&](std::uint8_t value) -> std::uint8_t {
      return value == label ? 1 : 0;
    };
    std::ranges::transform(labels, wanted_mask.begin(), is_label);
    std::ranges::transform(predicted, found_mask.begin(), is_label);
    scores.surface_dice.push_back(surface_dice(wanted_mask, found_mask, dims, scale));
  }
}

std::string surface_text(const Scores& scores, double tolerance) {
  if (scores.surface_dice.empty()) {
    return "";
  }
  std::string text = "surface Dice " + value_text(scores.mean_surface_dice(), 4);
  if (scores.surface_dice.size() > 1) {
    std::string labels;
    for (const std::optional<double>& value : scores.surface_dice) {
      labels += (labels.empty() ? "" : ", ") + value_text(value, 3);
    }
    text += fmt::format(" ({}) whole {}", labels, value_text(scores.whole_surface_dice, 4));
  }
  return fmt::format("{} at {:g} mm", text, tolerance);
}

std::string surface_warning(const SurfaceScale& scale) {
  const double least = std::ranges::min(scale.spacing);
  if (is_within(least, scale.tolerance)) {
    return "";
  }
  return fmt::format(
      "surface Dice at {:g} mm: voxels lie {:g} x {:g} x {:g} mm apart, so a surface counts only "
      "where both are equal; --surface-tolerance {:g} allows one voxel",
      scale.tolerance, scale.spacing[0], scale.spacing[1], scale.spacing[2], least);
}

}  // namespace voxmark

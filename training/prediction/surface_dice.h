// Normalized Surface Distance, the second metric of the Medical Segmentation Decathlon, which is
// also called surface Dice at a tolerance: which share of both surfaces lies no further than the
// tolerance from the other surface. Nikolov et al. 2018, arXiv 1809.04430; the reference is
// DeepMind's package surface-distance, with which ci/python_tests/test_surface_dice.py compares.
//
// A surface is the corners of voxels at which inside and outside meet. Each stands for the area of
// the surface that marching cubes draw around it: counting such corners, or faces of voxels, would
// count a slanted surface up to 1.7 times. Beyond the image's border is outside.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "training/prediction/scores.h"
#include "workloads/images/nifti_header.h"

namespace voxmark {

using Spacing = std::array<double, 3>;  // millimetres between voxels along x, y, z

// The lengths of the affine's columns.
Spacing spacing_of(const Affine& affine);

// The figure of the reference's own examples: one voxel of brain tumours and hippocampi there.
constexpr double kSurfaceToleranceMillimetres = 1;

// How surfaces are judged.
struct SurfaceScale {
  Spacing spacing{1, 1, 1};
  double tolerance = kSurfaceToleranceMillimetres;  // a distance that is equal counts as within
};

// Of two masks (x fastest, then y, z; not 0 is inside). 0 where one of them is empty. Nothing where
// both are: the reference divides 0 by 0 there. Nothing, too, where voxels lie 0 mm apart.
std::optional<double> surface_dice(std::span<const std::uint8_t> truth,
                                   std::span<const std::uint8_t> prediction, const Dims& dims,
                                   const SurfaceScale& scale);

// Fills surface_dice and whole_surface_dice in, of one volume's labels and its `predicted` ones, as
// hard_labels() has them of so many channels.
void add_surface_dice(Scores& scores, std::span<const std::uint8_t> labels,
                      std::span<const std::uint8_t> predicted, std::int64_t channels,
                      const Dims& dims, const SurfaceScale& scale);

// "surface Dice 0.9312 at 1 mm", with every label and the whole where there are several; "" of
// scores that have none.
std::string surface_text(const Scores& scores, double tolerance);

// What a person should know where voxels are so large that the tolerance says little; else "".
std::string surface_warning(const SurfaceScale& scale);

}  // namespace voxmark

// The exact Euclidean distance transform. Knows nothing of images and surfaces.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

namespace voxmark {

// Extents, x fastest.
using Extents = std::array<std::size_t, 3>;

// In place: `squares` are 0 at the points that distances are measured to and infinite elsewhere,
// and become the squared distances to the nearest of those points. Points lie spacing[0], [1], [2]
// apart. Without any such point everything stays infinite. Axis by axis in linear time:
// Felzenszwalb and Huttenlocher 2012, "Distance Transforms of Sampled Functions".
void squared_distances(std::vector<double>& squares, const Extents& extents,
                       const std::array<double, 3>& spacing);

}  // namespace voxmark

// The area of the surface that marching cubes draw between eight voxels. Knows nothing of images.
#pragma once

#include <array>

namespace voxmark {

// By code: bit x + 2 y + 4 z is set where the voxel at x, y, z of the 2 x 2 x 2 is inside. Voxels
// lie spacing[0], [1], [2] apart. Codes 0 and 255 have no surface.
std::array<double, 256> surface_element_areas(const std::array<double, 3>& spacing);

}  // namespace voxmark

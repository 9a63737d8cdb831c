// Where overlapping tiles lie in a volume, and how much each counts for a voxel.
#pragma once

#include <cstdint>
#include <vector>

#include "workloads/network/batch.h"

namespace voxmark {

// The multiple of `multiple` that is not smaller, axis by axis.
Dims padded_to_multiple(const Dims& dims, std::int64_t multiple);

// Begins of tiles that cover `extent`, each overlapping the next by half or more. One tile where
// it is as large as the volume.
std::vector<std::int64_t> tile_begins(std::int64_t extent, std::int64_t tile);

// Offsets of all tiles; dims of `tile` are at most those of `volume`.
std::vector<Dims> tile_offsets(const Dims& volume, const Dims& tile);

// How much a tile's voxel at `index` along an axis counts: most in the middle, where the network
// has seen what lies around.
double blend_weight(std::int64_t index, std::int64_t tile);

}  // namespace voxmark

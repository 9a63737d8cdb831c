#include "training/prediction/tiles.h"

#include <algorithm>

namespace voxmark {

Dims padded_to_multiple(const Dims& dims, std::int64_t multiple) {
  const auto up = [multiple](std::int64_t extent) {
    return (extent + multiple - 1) / multiple * multiple;
  };
  return {up(dims.d), up(dims.h), up(dims.w)};
}

std::vector<std::int64_t> tile_begins(std::int64_t extent, std::int64_t tile) {
  const std::int64_t stride = std::max<std::int64_t>(tile / 2, 1);
  std::vector<std::int64_t> begins;
  for (std::int64_t begin = 0; begin + tile < extent; begin += stride) {
    begins.push_back(begin);
  }
  begins.push_back(std::max<std::int64_t>(extent - tile, 0));
  return begins;
}

std::vector<Dims> tile_offsets(const Dims& volume, const Dims& tile) {
  std::vector<Dims> offsets;
  for (const std::int64_t d : tile_begins(volume.d, tile.d)) {
    for (const std::int64_t h : tile_begins(volume.h, tile.h)) {
      for (const std::int64_t w : tile_begins(volume.w, tile.w)) {
        offsets.push_back({d, h, w});
      }
    }
  }
  return offsets;
}

double blend_weight(std::int64_t index, std::int64_t tile) {
  return static_cast<double>(std::min(index + 1, tile - index)) / static_cast<double>(tile);
}

}  // namespace voxmark

// How a pass divides its work: pieces of consecutive voxels of one panel, the same for every number
// of threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backends/passes/lanes.h"
#include "backends/passes/panels.h"

namespace voxmark::passes {

// Large enough that a piece's partial sums cost nothing beside it, small enough for a core's L2.
constexpr std::int64_t kPieceElements = 32768;
constexpr std::int64_t kLeastPieceVoxels = 128;

// Voxels of a piece that are worked through at once. Channels beyond one group of lanes take
// another turn over them, from the L1 cache. Measured at 64 and 256 channels: 512 elements are
// best.
inline std::int64_t tile_voxels(std::int64_t width) {
  constexpr std::int64_t kTileElements = 512, kLeastVoxels = 8;
  return width <= 2 * kNativeLanes ? kPieceElements : std::max(kTileElements / width, kLeastVoxels);
}

struct Piece {
  std::int64_t sample, panel;
  std::int64_t first_voxel, last_voxel;  // half open
  std::int64_t voxels() const { return last_voxel - first_voxel; }
};

class Pieces {
 public:
  explicit Pieces(const PanelShape& shape)
      : panels_(shape.panels),
        voxels_(shape.voxels()),
        piece_voxels_(std::max(kPieceElements / shape.width, kLeastPieceVoxels)),
        per_panel_((voxels_ + piece_voxels_ - 1) / piece_voxels_),
        count_(shape.n * panels_ * per_panel_) {}

  std::int64_t count() const { return count_; }
  std::int64_t per_panel() const { return per_panel_; }
  // In memory's order: by sample, panel, voxel.
  Piece operator[](std::int64_t index) const {
    const std::int64_t panel = index / per_panel_, first = index % per_panel_ * piece_voxels_;
    return {panel / panels_, panel % panels_, first, std::min(first + piece_voxels_, voxels_)};
  }

 private:
  std::int64_t panels_, voxels_, piece_voxels_, per_panel_, count_;
};

}  // namespace voxmark::passes

// How Winograd's convolutions and their gradients go through a batch: in blocks of tiles.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backends/onednn/kernels/planned_stage.h"
#include "backends/onednn/kernels/winograd_tiles.h"

namespace voxmark::onednn::winograd {

inline constexpr const char* kName = "winograd F(2x2x2,3x3x3)";

// As many sums as fit in registers beside what they are made of.
inline constexpr int kAccumulators = passes::kNativeLanes == 16 ? 16 : 8;

constexpr std::int64_t float_bytes(std::int64_t count) {
  return count * std::int64_t{sizeof(float)};
}

// The tiles of a batch, in blocks of up to kTiles: a part of one row, or a few short rows.
class Blocks {
 public:
  explicit Blocks(const passes::PanelShape& shape) : rows_(shape.h / 2), columns_(shape.w / 2) {
    const std::int64_t parts = (columns_ + kTiles - 1) / kTiles;
    block_columns_ = (columns_ + parts - 1) / parts;
    block_rows_ = std::max<std::int64_t>(1, std::min(rows_, kTiles / block_columns_));
    across_ = (columns_ + block_columns_ - 1) / block_columns_;
    down_ = (rows_ + block_rows_ - 1) / block_rows_;
    depth_ = shape.d / 2;
    count_ = shape.n * depth_ * down_ * across_;
  }

  std::int64_t count() const { return count_; }
  std::int64_t sample(std::int64_t block) const { return block / across_ / down_ / depth_; }

  // Calls f(row, first tile) for each row of a block; returns its tiles.
  template <class F>
  std::int64_t for_each_row(std::int64_t block, F f) const {
    const std::int64_t column = block % across_ * block_columns_;
    const std::int64_t row = block / across_ % down_ * block_rows_;
    const std::int64_t d = block / across_ / down_ % depth_;
    const std::int64_t columns = std::min(block_columns_, columns_ - column);
    const std::int64_t rows = std::min(block_rows_, rows_ - row);
    for (std::int64_t r = 0; r < rows; ++r) {
      f(TileRow{2 * d, 2 * (row + r), 2 * column, columns}, r * columns);
    }
    return rows * columns;
  }

 private:
  std::int64_t rows_, columns_;              // tiles of a plane
  std::int64_t block_rows_, block_columns_;  // tiles of a block
  std::int64_t across_, down_, depth_;       // blocks
  std::int64_t count_;
};

// f.operator()<P>() for the depth points in their order.
template <class F>
void for_each_depth_point(F f) {
  f.template operator()<0>();
  f.template operator()<1>();
  f.template operator()<2>();
  f.template operator()<3>();
}

// f.operator()<V>() for the vector type of a block of channels.
template <class F>
auto with_lanes(std::int64_t block, F f) {
  if constexpr (passes::kNativeLanes > 8) {
    if (block == 8) {
      return f.template operator()<passes::Lanes<8>>();
    }
  }
  return f.template operator()<passes::NativeLanes>();
}

// Rows outside the image, of any storage type.
inline std::int64_t zero_row_bytes(const TensorFormat& source, const TensorFormat& root) {
  return zero_row_elements<passes::NativeLanes>(root.shape.width) * source.element_bytes();
}

}  // namespace voxmark::onednn::winograd

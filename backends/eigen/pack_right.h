// Packs rows of an image as the right operand of a product whose depth is voxels.
#pragma once

#include "backends/eigen/block_panel.h"

namespace voxmark::eigen {

// Packs columns 0 to `columns` of `depth` voxels of a row for a product's right operand, at
// `range`: column j of voxel k is the float at row[first + k * channels + j]; what lies outside of
// the row's `row_floats` is zero. `row` may be null: all zeros.
inline void pack_right(const float* row, Index row_floats, Index first, Index channels, Index depth,
                       Index columns, float* packed, DepthRange range) {
  using Eigen::internal::ploadu;
  using Eigen::internal::pstoreu;
  const Index full = columns / kPanelColumns * kPanelColumns;
  for (Index j = 0; j < columns; j += j < full ? kPanelColumns : 1) {
    const Index width = j < full ? kPanelColumns : 1;
    float* panel = packed + j * range.stride + range.offset * width;
    const auto edge = [&](Index k) {
      for (Index i = 0; i < width; ++i) {
        const Index from = first + k * channels + j + i;
        panel[k * width + i] = from >= 0 && from < row_floats ? row[from] : 0.0F;
      }
    };
    Index begin = 0, end = depth;  // voxels that lie inside with all their columns
    while (begin < end && first + begin * channels + j < 0) {
      edge(begin++);
    }
    while (end > begin && first + (end - 1) * channels + j + width > row_floats) {
      edge(--end);
    }
    const float* from = row + first + j;
    if (width == kPanelColumns) {
      for (Index k = begin; k < end; ++k) {
        pstoreu(panel + k * kPanelColumns, ploadu<Packet4>(from + k * channels));
      }
    } else {
      for (Index k = begin; k < end; ++k) {
        panel[k] = from[k * channels];
      }
    }
  }
}

}  // namespace voxmark::eigen

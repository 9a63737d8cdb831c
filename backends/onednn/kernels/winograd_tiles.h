// The transforms of Winograd's minimal filtering F(2x2x2, 3x3x3) on blocked layouts: 8 outputs of a
// 3x3x3 convolution from 64 products instead of 216.
//
// After Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016), along each axis
//   y = A' [(G g) * (B' d)],   B' d = (d0 - d2, d1 + d2, d2 - d1, d1 - d3),
//   G g = (g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2),   A' m = (m0 + m1 + m2, m1 - m2 - m3)
// for d of 4 inputs, g of 3 taps, y of 2 outputs. The kernel's gradient is the transpose of the
// same: G' [(A dy) * (B' d)]. All factors are 1 and 1/2: rounding grows by less than a digit.
//
// A tile is 2x2x2 outputs. Up to kTiles of them are worked on at once, one depth point after the
// other, so that what lies between two transforms, 16 points of each, stays in a core's caches.
// A vector holds the channels of one panel.
#pragma once

#include <array>
#include <cstdint>

#include "backends/passes/lanes.h"
#include "backends/passes/panels.h"
#include "backends/passes/streaming.h"

namespace voxmark::onednn::winograd {

using passes::kLanes;
using passes::load;
using passes::store;
using passes::View;

constexpr std::int64_t kTiles = 16;
constexpr std::int64_t kDepthPoints = 4;
constexpr std::int64_t kPlanePoints = 16;  // of one depth point
constexpr std::int64_t kPoints = kDepthPoints * kPlanePoints;
constexpr std::int64_t kTaps = 27;
constexpr std::int64_t kOutputs = 8;  // voxels of a tile

// (kPlanePoints, kTiles, lanes) floats; a vector's gap after each point keeps the points' lines
// apart in the sets of a cache.
template <class V>
constexpr std::int64_t kPointStride = (kTiles + 1) * kLanes<V>;
template <class V>
constexpr std::int64_t kPlaneFloats = kPlanePoints * kPointStride<V>;

// Some tiles of one row: the first one's first output voxel, and how many there are.
struct TileRow {
  std::int64_t d, h, w;
  std::int64_t tiles;
};

// Floats of zeros that stand for rows outside the image: as long as the rows that are read.
template <class V>
constexpr std::int64_t zero_row_elements(std::int64_t voxel_stride) {
  return (2 * kTiles + 2) * voxel_stride;
}

// The two input planes of depth point P, of the tile's four.
template <int P>
constexpr std::array<std::int64_t, 2> kDepthPair = {P == 0   ? 0
                                                    : P == 2 ? 2
                                                             : 1,
                                                    P == 2   ? 1
                                                    : P == 3 ? 3
                                                             : 2};

template <int P, class V>
V combine_depth(V first, V second) {
  return P == 1 ? first + second : first - second;
}

// B' along one axis.
template <class V>
void input_points(V (&v)[4]) {
  const V zero = v[0] - v[2], one = v[1] + v[2], two = v[2] - v[1], three = v[1] - v[3];
  v[0] = zero;
  v[1] = one;
  v[2] = two;
  v[3] = three;
}

// points (kPlanePoints, kTiles, lanes): depth point P of the tiles' inputs, 4x4x4 voxels each, with
// zeros around the image. `zeros`: zero_row_elements() of them.
template <class V, int P, class T>
void transform_input(const View<const T>& x, const T* panel, const T* zeros, const TileRow& row,
                     float* points) {
  constexpr std::int64_t kStride = kPointStride<V>;
  const std::int64_t step = x.voxel_stride, first_w = row.w - 1;
  const T* rows[2][4];
  for (std::int64_t k = 0; k < 2; ++k) {
    const std::int64_t d = row.d - 1 + kDepthPair<P>[static_cast<std::size_t>(k)];
    for (std::int64_t i = 0; i < 4; ++i) {
      const std::int64_t h = row.h - 1 + i;
      const bool is_inside = d >= 0 && d < x.shape.d && h >= 0 && h < x.shape.h;
      rows[k][i] = is_inside ? panel + ((d * x.shape.h + h) * x.shape.w + first_w) * step : zeros;
    }
  }
  // Four columns of the image move through registers: each is read once.
  V a[4], b[4], c[4], d[4];
  const auto read_column = [&](std::int64_t at, V(&column)[4]) __attribute__((always_inline)) {
    for (unsigned i = 0; i < 4; ++i) {
      column[i] = combine_depth<P>(load<V>(rows[0][i] + at), load<V>(rows[1][i] + at));
    }
    input_points(column);
  };
  const auto write_tile = [](float* to, const V(&p)[4], const V(&q)[4], const V(&r)[4],
                             const V(&s)[4]) __attribute__((always_inline)) {
    for (unsigned i = 0; i < 4; ++i) {
      store<V>(p[i] - r[i], to + (4 * i + 0) * kStride);
      store<V>(q[i] + r[i], to + (4 * i + 1) * kStride);
      store<V>(r[i] - q[i], to + (4 * i + 2) * kStride);
      store<V>(q[i] - s[i], to + (4 * i + 3) * kStride);
    }
  };
  const auto clear = [](V(&column)[4]) {
    for (V& value : column) {
      value = V{};
    }
  };
  if (first_w < 0) {
    clear(a);
  } else {
    read_column(0, a);
  }
  read_column(step, b);
  // The last tile's last column may lie outside.
  const std::int64_t whole = row.w + 2 * row.tiles < x.shape.w ? row.tiles : row.tiles - 1;
  std::int64_t tile = 0, at = 2 * step;
  for (; tile + 2 <= whole; tile += 2) {
    read_column(at, c);
    read_column(at + step, d);
    write_tile(points, a, b, c, d);
    read_column(at + 2 * step, a);
    read_column(at + 3 * step, b);
    write_tile(points + kLanes<V>, c, d, a, b);
    points += 2 * kLanes<V>;
    at += 4 * step;
  }
  for (; tile < row.tiles; ++tile) {
    read_column(at, c);
    if (tile < whole) {
      read_column(at + step, d);
    } else {
      clear(d);
    }
    write_tile(points, a, b, c, d);
    for (unsigned i = 0; i < 4; ++i) {
      a[i] = c[i];
      b[i] = d[i];
    }
    points += kLanes<V>;
    at += 2 * step;
  }
}

// points: depth point P of A dy, 2x2x2 voxels a tile. Along each axis (y0, y0 + y1, y0 - y1, -y1).
template <class V, int P, class T>
void transform_gradient(const View<const T>& dy, const T* panel, const TileRow& row,
                        float* points) {
  constexpr std::int64_t kStride = kPointStride<V>;
  const std::int64_t step = dy.voxel_stride, next_h = dy.shape.w * step;
  const std::int64_t next_d = dy.shape.h * next_h;
  const T* from = panel + ((row.d * dy.shape.h + row.h) * dy.shape.w + row.w) * step;
  for (std::int64_t tile = 0; tile < row.tiles; ++tile, from += 2 * step, points += kLanes<V>) {
    V plane[2][2];
    for (unsigned h = 0; h < 2; ++h) {
      for (unsigned w = 0; w < 2; ++w) {
        const T* at = from + h * next_h + w * step;
        if constexpr (P == 0) {
          plane[h][w] = load<V>(at);
        } else if constexpr (P == 3) {
          plane[h][w] = -load<V>(at + next_d);
        } else {
          plane[h][w] = combine_depth<P>(load<V>(at), load<V>(at + next_d));
        }
      }
    }
    const V lines[4][2] = {{plane[0][0], plane[0][1]},
                           {plane[0][0] + plane[1][0], plane[0][1] + plane[1][1]},
                           {plane[0][0] - plane[1][0], plane[0][1] - plane[1][1]},
                           {-plane[1][0], -plane[1][1]}};
    for (unsigned i = 0; i < 4; ++i) {
      float* to = points + 4 * i * kStride;
      store<V>(lines[i][0], to);
      store<V>(lines[i][0] + lines[i][1], to + kStride);
      store<V>(lines[i][0] - lines[i][1], to + 2 * kStride);
      store<V>(-lines[i][1], to + 3 * kStride);
    }
  }
}

// sums (tiles, kOutputs, lanes) of products (kPlanePoints, kTiles, lanes) of depth points 0 to P,
// in this order: A' along every axis.
template <class V, int P>
void add_outputs(const float* products, std::int64_t tiles, float* sums) {
  constexpr std::int64_t kStride = kPointStride<V>, kWidth = kLanes<V>;
  for (std::int64_t tile = 0; tile < tiles; ++tile) {
    V lines[2][4];
    for (unsigned w = 0; w < 4; ++w) {
      const float* from = products + tile * kWidth + w * kStride;
      const V zero = load<V>(from), one = load<V>(from + 4 * kStride),
              two = load<V>(from + 8 * kStride), three = load<V>(from + 12 * kStride);
      lines[0][w] = zero + one + two;
      lines[1][w] = one - two - three;
    }
    float* front = sums + tile * kOutputs * kWidth;
    float* back = front + kOutputs / 2 * kWidth;
    for (unsigned h = 0; h < 2; ++h) {
      const V(&line)[4] = lines[h];
      const V values[2] = {line[0] + line[1] + line[2], line[1] - line[2] - line[3]};
      for (unsigned w = 0; w < 2; ++w) {
        const std::int64_t at = (2 * h + w) * kWidth;
        if constexpr (P == 0) {
          store<V>(values[w], front + at);
        } else if constexpr (P == 1) {
          store<V>(load<V>(front + at) + values[w], front + at);
          store<V>(values[w], back + at);
        } else if constexpr (P == 2) {
          store<V>(load<V>(front + at) + values[w], front + at);
          store<V>(load<V>(back + at) - values[w], back + at);
        } else {
          store<V>(load<V>(back + at) - values[w], back + at);
        }
      }
    }
  }
}

// The tiles' voxels of y from their sums.
template <class V, bool Streams, class T>
void write_outputs(const float* sums, V bias, const View<T>& y, T* panel, const TileRow& row) {
  constexpr std::int64_t kWidth = kLanes<V>;
  for (std::int64_t d = 0; d < 2; ++d) {
    for (std::int64_t h = 0; h < 2; ++h) {
      const float* from = sums + (4 * d + 2 * h) * kWidth;
      T* to = panel + (((row.d + d) * y.shape.h + row.h + h) * y.shape.w + row.w) * y.voxel_stride;
      for (std::int64_t tile = 0; tile < row.tiles; ++tile) {
        passes::put<Streams>(load<V>(from) + bias, to);
        passes::put<Streams>(load<V>(from + kWidth) + bias, to + y.voxel_stride);
        from += kOutputs * kWidth;
        to += 2 * y.voxel_stride;
      }
    }
  }
}

// G along one axis: 3 taps at `from`, `stride` vectors apart, to 4 points likewise.
template <class V>
void kernel_points(const V* from, std::int64_t stride, V* to, std::int64_t to_stride) {
  const V half = 0.5F * (from[0] + from[2 * stride]), middle = 0.5F * from[stride];
  to[0] = from[0];
  to[to_stride] = half + middle;
  to[2 * to_stride] = half - middle;
  to[3 * to_stride] = from[2 * stride];
}

// G along every axis of taps (3, 3, 3): 64 points, `stride` floats apart.
template <class V>
void transform_kernel(const V (&taps)[kTaps], float* points, std::int64_t stride) {
  V depth[36], plane[48], all[kPoints];
  for (std::int64_t i = 0; i < 9; ++i) {
    kernel_points(taps + i, 9, depth + i, 9);
  }
  for (std::int64_t d = 0; d < 4; ++d) {
    for (std::int64_t w = 0; w < 3; ++w) {
      kernel_points(depth + 9 * d + w, 3, plane + 12 * d + w, 3);
    }
  }
  for (std::int64_t i = 0; i < 16; ++i) {
    kernel_points(plane + 3 * i, 1, all + 4 * i, 1);
  }
  for (std::int64_t i = 0; i < kPoints; ++i) {
    store<V>(all[i], points + i * stride);
  }
}

// G' along one axis: 4 points to 3 taps.
template <class V>
void kernel_taps(const V* from, std::int64_t stride, V* to, std::int64_t to_stride) {
  const V half = 0.5F * (from[stride] + from[2 * stride]);
  to[0] = from[0] + half;
  to[to_stride] = 0.5F * (from[stride] - from[2 * stride]);
  to[2 * to_stride] = half + from[3 * stride];
}

// G' along every axis.
template <class V>
void transform_kernel_gradient(const V (&points)[kPoints], V (&taps)[kTaps]) {
  V depth[48], plane[36];
  for (std::int64_t i = 0; i < 16; ++i) {
    kernel_taps(points + i, 16, depth + i, 16);
  }
  for (std::int64_t d = 0; d < 3; ++d) {
    for (std::int64_t w = 0; w < 4; ++w) {
      kernel_taps(depth + 16 * d + w, 4, plane + 12 * d + w, 4);
    }
  }
  for (std::int64_t i = 0; i < 9; ++i) {
    kernel_taps(plane + 4 * i, 1, taps + 3 * i, 1);
  }
}

}  // namespace voxmark::onednn::winograd

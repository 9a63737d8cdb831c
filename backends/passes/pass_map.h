// y = f(coefficients of the channel, x...) for every element: the loop of all element-wise passes.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <utility>

#include "backends/passes/lanes.h"
#include "backends/passes/panels.h"
#include "backends/passes/pass_pieces.h"
#include "backends/passes/streaming.h"

namespace voxmark::passes {

namespace detail {

// One piece: where each view's first voxel and the coefficients of the panel's first channel lie.
template <class T, std::size_t Inputs, std::size_t Rows>
struct MapPiece {
  std::int64_t voxels;
  std::int64_t width;
  T* y;
  std::int64_t y_stride;
  std::array<const T*, Inputs> x;
  std::array<std::int64_t, Inputs> x_strides;
  std::array<const float*, Rows> rows;
};

template <class V, std::size_t Rows>
std::array<V, Rows> load_rows(const std::array<const float*, Rows>& rows, std::int64_t c) {
  std::array<V, Rows> lanes;
  for (std::size_t row = 0; row < Rows; ++row) {
    lanes[row] = load<V>(rows[row] + c);
  }
  return lanes;
}

template <bool Streams, class V, class F, class T, std::size_t Inputs, std::size_t Rows>
[[gnu::always_inline]] inline void map_vector(const MapPiece<T, Inputs, Rows>& piece,
                                              const std::array<V, Rows>& coefficients,
                                              std::int64_t voxel, std::int64_t c, F f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
    put<Streams, V>(f(coefficients, load<V>(piece.x[I] + voxel * piece.x_strides[I] + c)...),
                    piece.y + voxel * piece.y_stride + c);
  }(std::make_index_sequence<Inputs>{});
}

// U vectors of channels from c on, of voxels [first, last): the coefficients stay in registers. The
// piece comes by value: what has no address cannot be changed by a store to y.
template <bool Streams, class V, unsigned U, class F, class T, std::size_t Inputs, std::size_t Rows>
void map_channels(const MapPiece<T, Inputs, Rows> piece, std::int64_t c, std::int64_t first,
                  std::int64_t last, F f) {
  std::array<std::array<V, Rows>, U> lanes;
  for (unsigned u = 0; u < U; ++u) {
    lanes[u] = load_rows<V>(piece.rows, c + u * kLanes<V>);
  }
  for (std::int64_t voxel = first; voxel < last; ++voxel) {
    for (unsigned u = 0; u < U; ++u) {
      map_vector<Streams, V>(piece, lanes[u], voxel, c + u * kLanes<V>, f);
    }
  }
}

template <bool Streams, class F, class T, std::size_t Inputs, std::size_t Rows>
void map_piece(const MapPiece<T, Inputs, Rows>& piece, F f) {
  if (piece.width == kNativeLanes) {
    map_channels<Streams, NativeLanes, 1>(piece, 0, 0, piece.voxels, f);
  } else if (piece.width == 2 * kNativeLanes) {
    map_channels<Streams, NativeLanes, 2>(piece, 0, 0, piece.voxels, f);
  } else if (piece.width == 4 * kNativeLanes) {
    map_channels<Streams, NativeLanes, 4>(piece, 0, 0, piece.voxels, f);
  } else {
    const std::int64_t tile = tile_voxels(piece.width);
    for (std::int64_t first = 0; first < piece.voxels; first += tile) {
      const std::int64_t last = std::min(first + tile, piece.voxels);
      for_each_lane_group(piece.width, [&]<class V, unsigned U>(std::int64_t c) {
        map_channels<Streams, V, U>(piece, c, first, last, f);
      });
    }
  }
}

// Where channels do not matter: a dense piece as voxels of four vectors, and a rest.
template <bool Streams, class F, class T, std::size_t Inputs>
void map_dense_piece(MapPiece<T, Inputs, 0> piece, F f) {
  constexpr std::int64_t kWidth = 4 * kNativeLanes;
  const std::int64_t elements = piece.voxels * piece.width;
  piece.voxels = elements / kWidth;
  piece.width = piece.y_stride = kWidth;
  piece.x_strides.fill(kWidth);
  map_piece<Streams>(piece, f);
  const std::int64_t done = piece.voxels * kWidth;
  piece.voxels = 1;
  piece.width = elements - done;
  piece.y += done;
  for (const T*& x : piece.x) {
    x += done;
  }
  map_piece<Streams>(piece, f);
}

template <bool Streams, std::size_t Rows, class F, class T, std::size_t Inputs>
void map_elements(const std::array<const float*, Rows>& rows, F f, int threads, const View<T>& y,
                  const std::array<View<const T>, Inputs>& inputs) {
  const Pieces pieces(y.shape);
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static) nowait
    for (std::int64_t i = 0; i < pieces.count(); ++i) {
      const Piece piece = pieces[i];
      MapPiece<T, Inputs, Rows> run;
      run.voxels = piece.voxels();
      run.width = y.shape.width;
      run.y = y.panel(piece.sample, piece.panel) + piece.first_voxel * y.voxel_stride;
      run.y_stride = y.voxel_stride;
      bool is_dense = y.voxel_stride == run.width;
      for (std::size_t k = 0; k < Inputs; ++k) {
        const View<const T>& x = inputs[k];
        run.x[k] = x.panel(piece.sample, piece.panel) + piece.first_voxel * x.voxel_stride;
        run.x_strides[k] = x.voxel_stride;
        is_dense = is_dense && x.voxel_stride == run.width;
      }
      for (std::size_t row = 0; row < Rows; ++row) {
        run.rows[row] = rows[row] + piece.panel * run.width;
      }
      if constexpr (Rows == 0) {
        if (is_dense) {
          map_dense_piece<Streams>(run, f);
          continue;
        }
      }
      map_piece<Streams>(run, f);
    }
    finish_streaming<Streams>();
  }
}

}  // namespace detail

// `rows`: arrays of C coefficients each. f(std::array<V, Rows>, V...) -> V, for any lanes V. y may
// be one of the inputs.
template <std::size_t Rows, class F, class T, class... In>
void map_elements(const std::array<const float*, Rows>& rows, F f, int threads, View<T> y,
                  In... x) {
  const std::array<View<const T>, sizeof...(In)> inputs{x...};
  assert(((x.shape == y.shape) && ...));
  if (is_worth_streaming(y) && ((x.data != y.data) && ...)) {
    detail::map_elements<true>(rows, f, threads, y, inputs);
  } else {
    detail::map_elements<false>(rows, f, threads, y, inputs);
  }
}

}  // namespace voxmark::passes

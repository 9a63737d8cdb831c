// y = f(coefficients of the channel, x...) for every element: the loop of all element-wise passes.
#pragma once

#include <array>
#include <cassert>
#include <cstdint>
#include <tuple>
#include <utility>

#include "backends/lanes.h"
#include "backends/panels.h"
#include "backends/pass_pieces.h"

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

  template <class V, class F>
  void apply(const std::array<V, Rows>& coefficients, std::int64_t voxel, std::int64_t c,
             F f) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      store<V>(f(coefficients, load<V>(x[I] + voxel * x_strides[I] + c)...),
               y + voxel * y_stride + c);
    }
    (std::make_index_sequence<Inputs>{});
  }

  template <class V>
  std::array<V, Rows> coefficients(std::int64_t c) const {
    std::array<V, Rows> lanes;
    for (std::size_t row = 0; row < Rows; ++row) {
      lanes[row] = load<V>(rows[row] + c);
    }
    return lanes;
  }

  // The whole width is U vectors: the coefficients stay in registers.
  template <class V, unsigned U, class F>
  void run_width(F f) const {
    std::array<std::array<V, Rows>, U> lanes;
    for (unsigned u = 0; u < U; ++u) {
      lanes[u] = coefficients<V>(u * kLanes<V>);
    }
    for (std::int64_t voxel = 0; voxel < voxels; ++voxel) {
      for (unsigned u = 0; u < U; ++u) {
        apply<V>(lanes[u], voxel, u * kLanes<V>, f);
      }
    }
  }

  template <class F>
  void run(F f) const {
    if (width == 2 * kNativeLanes) {
      run_width<NativeLanes, 2>(f);
    } else if (width == kNativeLanes) {
      run_width<NativeLanes, 1>(f);
    } else {
      for (std::int64_t voxel = 0; voxel < voxels; ++voxel) {
        for_each_lane_group(width, [&]<class V, unsigned U>(std::int64_t c) {
          for (std::int64_t lane = c; lane < c + U * kLanes<V>; lane += kLanes<V>) {
            apply<V>(coefficients<V>(lane), voxel, lane, f);
          }
        });
      }
    }
  }
};

}  // namespace detail

// `rows`: arrays of C coefficients each. f(std::array<V, Rows>, V...) -> V, for any lanes V. y may
// be one of the inputs.
template <std::size_t Rows, class F, class T, class... In>
void map_elements(const std::array<const float*, Rows>& rows, F f, int threads, View<T> y,
                  In... x) {
  constexpr std::size_t kInputs = sizeof...(In);
  const std::array<View<const T>, kInputs> inputs{x...};
  for (const View<const T>& input : inputs) {
    assert(input.shape == y.shape);
    static_cast<void>(input);
  }
  const Pieces pieces(y.shape);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < pieces.count(); ++i) {
    const Piece piece = pieces[i];
    detail::MapPiece<T, kInputs, Rows> run;
    run.voxels = piece.voxels();
    run.width = y.shape.width;
    run.y = y.panel(piece.sample, piece.panel) + piece.first_voxel * y.voxel_stride;
    run.y_stride = y.voxel_stride;
    bool is_dense = y.voxel_stride == run.width;
    for (std::size_t k = 0; k < kInputs; ++k) {
      const View<const T>& input = inputs[k];
      run.x[k] = input.panel(piece.sample, piece.panel) + piece.first_voxel * input.voxel_stride;
      run.x_strides[k] = input.voxel_stride;
      is_dense = is_dense && input.voxel_stride == run.width;
    }
    for (std::size_t row = 0; row < Rows; ++row) {
      run.rows[row] = rows[row] + piece.panel * run.width;
    }
    if (Rows == 0 && is_dense) {  // channels do not matter: one long voxel
      run.width *= run.voxels;
      run.voxels = 1;
    }
    run.run(f);
  }
}

}  // namespace voxmark::passes

#include "backends/eigen/transposed_convolution.h"

#include <omp.h>

#include <algorithm>

#include "backends/eigen/block_panel.h"
#include "backends/eigen/pack_right.h"
#include "backends/eigen/scratch.h"

namespace voxmark::eigen {
namespace {

constexpr Index kRowTaps = 4;     // (kd, kh)
constexpr Index kVoxels = 128;    // of a tile: columns of a product, depth in backward_weights
constexpr Index kMinVoxels = 16;  // fewer leave a product too few columns

Index blocks(Index size, Index block) { return (size + block - 1) / block; }

// A tile is some consecutive rows (n, d, h) of the input, within one plane.
struct Tiling {
  Index rows, per_plane;
  Tiling(const TransposedShape& s, int threads) {
    const Index share = s.n * s.d * s.h * s.w / (4 * threads);
    rows = std::clamp<Index>(std::clamp(share, kMinVoxels, kVoxels) / s.w, 1, s.h);
    per_plane = blocks(s.h, rows);
  }
};

struct Tile {
  Index n, d, h, rows;
  Tile(const TransposedShape& s, const Tiling& tiling, Index index) {
    h = index % tiling.per_plane * tiling.rows;
    index /= tiling.per_plane;
    d = index % s.d;
    n = index / s.d;
    rows = std::min(tiling.rows, s.h - h);
  }
};
Index tile_count(const TransposedShape& s, const Tiling& tiling) {
  return s.n * s.d * tiling.per_plane;
}

// Offset of input row h of a tile.
Index input_row(const TransposedShape& s, const Tile& tile, Index h) {
  return ((tile.n * s.d + tile.d) * s.h + h) * s.w * s.in;
}
// Offset of the output row that row tap `tap` makes of it: w voxels of 2 * out channels.
Index output_row(const TransposedShape& s, const Tile& tile, Index h, Index tap) {
  return ((tile.n * 2 * s.d + 2 * tile.d + tap / 2) * 2 * s.h + 2 * h + tap % 2) * 2 * s.w * s.out;
}

// Packs `voxels` (channels each, contiguous) from column `first` of a right operand on. Columns are
// taken by fours, so the tile's rows are gathered voxel by voxel through `voxel(column)`.
template <class VoxelOf>
void pack_voxels(Index columns, Index channels, float* packed, VoxelOf voxel) {
  const Index full = columns / kPanelColumns * kPanelColumns;
  for (Index j = 0; j < full; j += kPanelColumns) {
    const float* const four[kPanelColumns] = {voxel(j), voxel(j + 1), voxel(j + 2), voxel(j + 3)};
    pack_four_columns(four, channels, packed + j * channels);
  }
  for (Index j = full; j < columns; ++j) {
    std::copy_n(voxel(j), channels, packed + j * channels);
  }
}

// A product of `rows` x `depth` weights per row tap with packed voxels, cut in depth.
struct Product {
  Index rows, depth;
  Index slice() const { return std::min(depth, kMaxDepth); }
  Index slices() const { return blocks(depth, slice()); }
  Index slice_depth(Index i) const { return std::min(slice(), depth - i * slice()); }
  Index weights_stride() const { return Carver::padded(rows * slice()); }  // per slice
};
Product forward(const TransposedShape& s) { return {2 * s.out, s.in}; }
Product backward_data(const TransposedShape& s) { return {s.in, 2 * s.out}; }

struct Buffers {
  float* weights;
  float* packed;  // voxels, per thread
  Index packed_stride;

  Buffers(const TransposedShape& s, const Product& p, int threads, Carver& carver)
      : weights(carver.floats(kRowTaps * p.slices() * p.weights_stride())),
        packed_stride(Carver::padded(Tiling(s, threads).rows * s.w * p.depth)) {
    packed = carver.floats(packed_stride * threads);
  }
};

// left (rows, depth) of every row tap; element (i, k) at kernel[tap][i * in + k], or transposed.
template <int Order>
void pack_weights(const TransposedShape& s, const Product& p, const float* kernel,
                  const Buffers& buffers) {
#pragma omp for schedule(static)
  for (Index i = 0; i < kRowTaps * p.slices(); ++i) {
    const Index tap = i / p.slices(), slice = i % p.slices(), first = slice * p.slice();
    const float* source = kernel + tap * 2 * s.out * s.in;
    const Index depth = p.slice_depth(slice);
    pack_left<Order>(source + first * (Order == Eigen::RowMajor ? 1 : s.in), s.in, p.rows, depth,
                     buffers.weights + i * p.weights_stride(), {depth, 0});
  }
}

void multiply_slices(const ResultColumns& result, const Product& p, Index tap,
                     const Buffers& buffers, const float* packed, Index columns) {
  for (Index slice = 0; slice < p.slices(); ++slice) {
    const Index depth = p.slice_depth(slice);
    multiply(result, buffers.weights + (tap * p.slices() + slice) * p.weights_stride(), {depth, 0},
             packed, {p.depth, slice * p.slice()}, p.rows, depth, columns);
  }
}

struct WeightsBuffers {
  float* sums;   // (8, out, in) per thread
  float* input;  // packed voxels of a tile, the left operand
  float* grad;   // packed rows of the gradient, the right operand
  Index sums_stride, input_stride, grad_stride;

  WeightsBuffers(const TransposedShape& s, int threads, Carver& carver) {
    const Index voxels = Tiling(s, threads).rows * s.w;
    sums_stride = Carver::padded(kRowTaps * 2 * s.out * s.in);
    input_stride = Carver::padded(voxels * s.in);
    grad_stride = Carver::padded(voxels * 2 * s.out);
    sums = carver.floats(sums_stride * threads);
    input = carver.floats(input_stride * threads);
    grad = carver.floats(grad_stride * threads);
  }
};

}  // namespace

std::int64_t transposed_scratch_bytes(const TransposedShape& shape, int threads) {
  Carver first(nullptr), second(nullptr), third(nullptr);
  const Buffers a(shape, forward(shape), threads, first);
  const Buffers b(shape, backward_data(shape), threads, second);
  const WeightsBuffers c(shape, threads, third);
  return std::max({first.bytes(), second.bytes(), third.bytes()});
}

void transposed_convolve(const TransposedShape& s, const float* input, const float* kernel,
                         const float* bias, float* output, std::byte* scratch, int threads) {
  const Product p = forward(s);
  const Tiling tiling(s, threads);
  Carver carver(scratch);
  const Buffers buffers(s, p, threads, carver);
#pragma omp parallel num_threads(threads)
  {
    pack_weights<Eigen::RowMajor>(s, p, kernel, buffers);
    float* packed = buffers.packed + omp_get_thread_num() * buffers.packed_stride;
#pragma omp for schedule(dynamic)
    for (Index i = 0; i < tile_count(s, tiling); ++i) {
      const Tile tile(s, tiling, i);
      const Index columns = tile.rows * s.w;
      pack_voxels(columns, s.in, packed,
                  [&](Index j) { return input + input_row(s, tile, tile.h) + j * s.in; });
      for (Index tap = 0; tap < kRowTaps; ++tap) {
        for (Index h = tile.h; h < tile.h + tile.rows; ++h) {
          fill_rows(bias, s.out, 2 * s.w, output + output_row(s, tile, h, tap));
        }
        const ResultColumns result(output + output_row(s, tile, tile.h, tap), s.w, 2 * s.out,
                                   2 * 2 * s.w * s.out);
        multiply_slices(result, p, tap, buffers, packed, columns);
      }
    }
  }
}

void transposed_backward_data(const TransposedShape& s, const float* grad_output,
                              const float* kernel, float* grad_input, std::byte* scratch,
                              int threads) {
  const Product p = backward_data(s);
  const Tiling tiling(s, threads);
  Carver carver(scratch);
  const Buffers buffers(s, p, threads, carver);
#pragma omp parallel num_threads(threads)
  {
    pack_weights<Eigen::ColMajor>(s, p, kernel, buffers);
    float* packed = buffers.packed + omp_get_thread_num() * buffers.packed_stride;
#pragma omp for schedule(dynamic)
    for (Index i = 0; i < tile_count(s, tiling); ++i) {
      const Tile tile(s, tiling, i);
      const Index columns = tile.rows * s.w;
      float* result = grad_input + input_row(s, tile, tile.h);
      std::fill_n(result, columns * s.in, 0.0F);
      for (Index tap = 0; tap < kRowTaps; ++tap) {
        pack_voxels(columns, 2 * s.out, packed, [&](Index j) {
          return grad_output + output_row(s, tile, tile.h + j / s.w, tap) + j % s.w * 2 * s.out;
        });
        multiply_slices(ResultColumns(result, columns, s.in, 0), p, tap, buffers, packed, columns);
      }
    }
  }
}

void transposed_backward_weights(const TransposedShape& s, const float* input,
                                 const float* grad_output, float* grad_kernel, std::byte* scratch,
                                 int threads) {
  const Tiling tiling(s, threads);
  Carver carver(scratch);
  const WeightsBuffers buffers(s, threads, carver);
  const Index tap_floats = 2 * s.out * s.in;
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    float* sums = buffers.sums + thread * buffers.sums_stride;
    float* packed_input = buffers.input + thread * buffers.input_stride;
    float* packed_grad = buffers.grad + thread * buffers.grad_stride;
    std::fill_n(sums, kRowTaps * tap_floats, 0.0F);
#pragma omp for schedule(static)
    for (Index i = 0; i < tile_count(s, tiling); ++i) {
      const Tile tile(s, tiling, i);
      const Index depth = tile.rows * s.w;
      pack_left<Eigen::ColMajor>(input + input_row(s, tile, tile.h), s.in, s.in, depth,
                                 packed_input, {depth, 0});
      for (Index tap = 0; tap < kRowTaps; ++tap) {
        for (Index row = 0; row < tile.rows; ++row) {
          pack_right(grad_output + output_row(s, tile, tile.h + row, tap), 2 * s.w * s.out, 0,
                     2 * s.out, s.w, 2 * s.out, packed_grad, {depth, row * s.w});
        }
        multiply(ResultColumns(sums + tap * tap_floats, 2 * s.out, s.in, 0), packed_input,
                 {depth, 0}, packed_grad, {depth, 0}, s.in, depth, 2 * s.out);
      }
    }
#pragma omp for schedule(static)
    for (Index i = 0; i < kRowTaps * tap_floats; ++i) {
      double sum = 0;
      for (int from = 0; from < threads; ++from) {
        sum += static_cast<double>(buffers.sums[from * buffers.sums_stride + i]);
      }
      grad_kernel[i] = static_cast<float>(sum);
    }
  }
}

}  // namespace voxmark::eigen

// backward_weights: sums over voxels of input, shifted by a tap, times grad_output.
//
// Voxels are the depth of the products. Fine levels (`rows`): a tile's rows are packed once, the kw
// taps side by side in columns, and serve all (kd, kh) taps: a shift by kd or kh is a shift in the
// packed depth. Every thread sums its own tiles; the sums are added in the order of the threads.
// Coarse levels (`blocks`): few voxels, large kernels; threads share blocks of the kernel's
// gradient instead of tiles, and keep no sums of their own.

#include <omp.h>

#include <algorithm>
#include <cstddef>

#include "backends/eigen/block_panel.h"
#include "backends/eigen/convolution.h"
#include "backends/eigen/pack_right.h"
#include "backends/eigen/scratch.h"

namespace voxmark::eigen {
namespace {

constexpr Index kTileFloats = 256 * 1024 / static_cast<Index>(sizeof(float));  // as convolution.cpp
constexpr Index kTileRows = 4;
// Kernels from this size on are shared by blocks: a copy per thread would outgrow caches.
constexpr Index kBlocksKernelFloats = 27 * 128 * 128;
constexpr Index kBlock = 128;  // channels of one block, in and out
constexpr Index kDepth = 256;  // voxels of one product of the blocks way

Index blocks(Index size, Index block) { return (size + block - 1) / block; }

bool uses_blocks(const ConvolutionShape& s) {
  return s.taps() * s.in * s.out >= kBlocksKernelFloats;
}

// Tiles of the `rows` way: `h` x `w` voxels of a plane, moved through the planes of a sample.
struct Tiling {
  Index d, h, w;
  Tiling(const ConvolutionShape& s, int threads) {
    h = std::min(s.h, kTileRows);
    const Index rows = s.extent * (h + s.extent - 1);
    w = std::clamp<Index>(kTileFloats / (rows * s.extent * s.in) / 16 * 16, 16, s.w);
    w = std::min(w, s.w);
    const Index columns = s.n * blocks(s.h, h) * blocks(s.w, w);
    const Index wanted = 8 * threads;
    d = std::clamp<Index>(s.d * columns / wanted, std::min<Index>(s.d, 8), s.d);
  }
  // The packed input planes of a tile.
  Index plane_floats(const ConvolutionShape& s) const {
    return (h + s.extent - 1) * w * s.extent * s.in;
  }
};

struct RowsBuffers {
  float* sums;    // (taps, in, out) per thread
  float* planes;  // packed input, a ring of `extent` planes
  float* grad;    // packed grad_output
  Index sums_stride, planes_stride, grad_stride;

  RowsBuffers(const ConvolutionShape& s, int threads, Carver& carver) {
    const Tiling tiling(s, threads);
    sums_stride = Carver::padded(s.taps() * s.in * s.out);
    planes_stride = Carver::padded(s.extent * tiling.plane_floats(s));
    grad_stride = Carver::padded(tiling.h * tiling.w * s.out);
    sums = carver.floats(sums_stride * threads);
    planes = carver.floats(planes_stride * threads);
    grad = carver.floats(grad_stride * threads);
  }
};

class RowsWeights {
 public:
  RowsWeights(const ConvolutionShape& shape, const float* input, const float* grad_output,
              const RowsBuffers& buffers, int threads)
      : s_(shape),
        tiling_(shape, threads),
        input_(input),
        grad_output_(grad_output),
        buffers_(buffers) {}

  Index tiles() const { return s_.n * blocks_d() * blocks_h() * blocks_w(); }

  void add(Index tile, int thread) {
    Region r;
    r.sums = buffers_.sums + thread * buffers_.sums_stride;
    r.planes = buffers_.planes + thread * buffers_.planes_stride;
    r.grad = buffers_.grad + thread * buffers_.grad_stride;
    r.w0 = tile % blocks_w() * tiling_.w;
    tile /= blocks_w();
    r.h0 = tile % blocks_h() * tiling_.h;
    tile /= blocks_h();
    const Index d0 = tile % blocks_d() * tiling_.d;
    r.n = tile / blocks_d();
    r.w = std::min(tiling_.w, s_.w - r.w0);
    r.h = std::min(tiling_.h, s_.h - r.h0);
    const Index d1 = std::min(d0 + tiling_.d, s_.d);

    Index next = std::max<Index>(d0 - s_.pad(), 0);  // plane to pack
    for (Index d = d0; d < d1; ++d) {
      for (; next <= std::min(d + s_.pad(), s_.d - 1); ++next) {
        pack_plane(r, next);
      }
      pack_grad(r, d);
      add_plane(r, d);
    }
  }

 private:
  struct Region {
    Index n, h0, h, w0, w;
    float* sums;
    float* planes;
    float* grad;
  };
  Index blocks_d() const { return blocks(s_.d, tiling_.d); }
  Index blocks_h() const { return blocks(s_.h, tiling_.h); }
  Index blocks_w() const { return blocks(s_.w, tiling_.w); }

  float* packed_plane(const Region& r, Index d) const {
    return r.planes + d % s_.extent * tiling_.plane_floats(s_);
  }
  // Depth of a packed plane: the tile's rows and `pad` more on either side.
  Index plane_depth(const Region& r) const { return (r.h + s_.extent - 1) * r.w; }

  void pack_plane(const Region& r, Index d) {
    const Index end = std::min(r.h0 + r.h + s_.pad(), s_.h);
    for (Index h = std::max<Index>(r.h0 - s_.pad(), 0); h < end; ++h) {
      const float* row = input_ + ((r.n * s_.d + d) * s_.h + h) * s_.w * s_.in;
      pack_right(row, s_.w * s_.in, (r.w0 - s_.pad()) * s_.in, s_.in, r.w, s_.extent * s_.in,
                 packed_plane(r, d), {plane_depth(r), (h - (r.h0 - s_.pad())) * r.w});
    }
  }

  void pack_grad(const Region& r, Index d) {
    for (Index h = 0; h < r.h; ++h) {
      const float* row =
          grad_output_ + (((r.n * s_.d + d) * s_.h + r.h0 + h) * s_.w + r.w0) * s_.out;
      pack_left<Eigen::ColMajor>(row, s_.out, s_.out, r.w, r.grad, {r.h * r.w, h * r.w});
    }
  }

  void add_plane(const Region& r, Index d) {
    const Index columns = s_.extent * s_.in;
    for (Index tap = 0; tap < s_.extent * s_.extent; ++tap) {
      const Index kd = tap / s_.extent, kh = tap % s_.extent;
      const Index from_d = d + kd - s_.pad();
      // Rows of the tile whose tap lies inside the image.
      const Index h0 = std::max(r.h0, s_.pad() - kh);
      const Index h1 = std::min(r.h0 + r.h, s_.h + s_.pad() - kh);
      if (from_d < 0 || from_d >= s_.d || h0 >= h1) {
        continue;
      }
      float* sums = r.sums + tap * columns * s_.out;
      multiply(ResultColumns(sums, columns, s_.out, 0), r.grad, {r.h * r.w, (h0 - r.h0) * r.w},
               packed_plane(r, from_d), {plane_depth(r), (h0 - r.h0 + kh) * r.w}, s_.out,
               (h1 - h0) * r.w, columns);
    }
  }

  const ConvolutionShape& s_;
  Tiling tiling_;
  const float* input_;
  const float* grad_output_;
  const RowsBuffers& buffers_;
};

void rows_way(const ConvolutionShape& s, const float* input, const float* grad_output,
              float* grad_kernel, std::byte* scratch, int threads) {
  Carver carver(scratch);
  const RowsBuffers buffers(s, threads, carver);
  RowsWeights weights(s, input, grad_output, buffers, threads);
  const Index kernel_floats = s.taps() * s.in * s.out;
#pragma omp parallel num_threads(threads)
  {
    const int thread = omp_get_thread_num();
    std::fill_n(buffers.sums + thread * buffers.sums_stride, kernel_floats, 0.0F);
#pragma omp for schedule(static)
    for (Index tile = 0; tile < weights.tiles(); ++tile) {
      weights.add(tile, thread);
    }
#pragma omp for schedule(static)
    for (Index i = 0; i < kernel_floats; ++i) {
      double sum = 0;
      for (int from = 0; from < threads; ++from) {
        sum += static_cast<double>(buffers.sums[from * buffers.sums_stride + i]);
      }
      grad_kernel[i] = static_cast<float>(sum);
    }
  }
}

// A block of the `blocks` way: one tap, some of its in and out channels.
struct BlocksBuffers {
  float* input;  // packed, per thread
  float* grad;
  Index input_stride, grad_stride;
  static Index depth(const ConvolutionShape& s) { return std::max(kDepth, s.w); }

  BlocksBuffers(const ConvolutionShape& s, int threads, Carver& carver) {
    input_stride = Carver::padded(depth(s) * std::min(s.in, kBlock));
    grad_stride = Carver::padded(depth(s) * std::min(s.out, kBlock));
    input = carver.floats(input_stride * threads);
    grad = carver.floats(grad_stride * threads);
  }
};

class BlocksWeights {
 public:
  BlocksWeights(const ConvolutionShape& shape, const float* input, const float* grad_output,
                float* grad_kernel, const BlocksBuffers& buffers)
      : s_(shape),
        input_(input),
        grad_output_(grad_output),
        grad_kernel_(grad_kernel),
        buffers_(buffers) {}

  Index count() const { return s_.taps() * blocks(s_.in, kBlock) * blocks(s_.out, kBlock); }

  void compute(Index block, int thread) {
    const Index tap = block % s_.taps();
    block /= s_.taps();
    const Index i0 = block % blocks(s_.in, kBlock) * kBlock;
    const Index o0 = block / blocks(s_.in, kBlock) * kBlock;
    const Index in = std::min(kBlock, s_.in - i0), out = std::min(kBlock, s_.out - o0);
    float* packed_input = buffers_.input + thread * buffers_.input_stride;
    float* packed_grad = buffers_.grad + thread * buffers_.grad_stride;

    // Voxels of the output whose tap lies inside the image: a box.
    const Index kd = tap / (s_.extent * s_.extent) - s_.pad();
    const Index kh = tap / s_.extent % s_.extent - s_.pad(), kw = tap % s_.extent - s_.pad();
    const Index d0 = std::max<Index>(0, -kd), d_count = std::max<Index>(0, s_.d - std::abs(kd));
    const Index h0 = std::max<Index>(0, -kh), h_count = std::max<Index>(0, s_.h - std::abs(kh));
    const Index w0 = std::max<Index>(0, -kw), w_count = std::max<Index>(0, s_.w - std::abs(kw));
    const Index rows = w_count == 0 ? 0 : s_.n * d_count * h_count;

    float* gradient = grad_kernel_ + (tap * s_.in + i0) * s_.out + o0;
    for (Index i = 0; i < in; ++i) {
      std::fill_n(gradient + i * s_.out, out, 0.0F);
    }
    const Index chunk = rows == 0 ? 1 : std::max<Index>(1, kDepth / w_count);
    for (Index first = 0; first < rows; first += chunk) {
      const Index chunk_rows = std::min(chunk, rows - first);
      const Index depth = chunk_rows * w_count;
      for (Index row = first; row < first + chunk_rows; ++row) {
        const Index n = row / (d_count * h_count);
        const Index d = d0 + row / h_count % d_count, h = h0 + row % h_count;
        const DepthRange range{depth, (row - first) * w_count};
        const float* x = input_ + ((n * s_.d + d + kd) * s_.h + h + kh) * s_.w * s_.in;
        pack_right(x, s_.w * s_.in, (w0 + kw) * s_.in + i0, s_.in, w_count, in, packed_input,
                   range);
        const float* dy = grad_output_ + (((n * s_.d + d) * s_.h + h) * s_.w + w0) * s_.out + o0;
        pack_left<Eigen::ColMajor>(dy, s_.out, out, w_count, packed_grad, range);
      }
      multiply(ResultColumns(gradient, in, s_.out, 0), packed_grad, {depth, 0}, packed_input,
               {depth, 0}, out, depth, in);
    }
  }

 private:
  const ConvolutionShape& s_;
  const float* input_;
  const float* grad_output_;
  float* grad_kernel_;
  const BlocksBuffers& buffers_;
};

void blocks_way(const ConvolutionShape& s, const float* input, const float* grad_output,
                float* grad_kernel, std::byte* scratch, int threads) {
  Carver carver(scratch);
  const BlocksBuffers buffers(s, threads, carver);
  BlocksWeights weights(s, input, grad_output, grad_kernel, buffers);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (Index block = 0; block < weights.count(); ++block) {
    weights.compute(block, omp_get_thread_num());
  }
}

}  // namespace

std::int64_t convolution_weights_scratch_bytes(const ConvolutionShape& shape, int threads) {
  Carver carver(nullptr);
  if (uses_blocks(shape)) {
    const BlocksBuffers buffers(shape, threads, carver);
  } else {
    const RowsBuffers buffers(shape, threads, carver);
  }
  return carver.bytes();
}

const char* backward_weights_way(const ConvolutionShape& shape) {
  return uses_blocks(shape) ? "blocks" : "rows";
}

void convolve_backward_weights(const ConvolutionShape& shape, const float* input,
                               const float* grad_output, float* grad_kernel, std::byte* scratch,
                               int threads) {
  if (uses_blocks(shape)) {
    blocks_way(shape, input, grad_output, grad_kernel, scratch, threads);
  } else {
    rows_way(shape, input, grad_output, grad_kernel, scratch, threads);
  }
}

}  // namespace voxmark::eigen

// Forward and backward_data: one routine, two ways to pack the weights.
//
// `rows`: a row of the image is packed once, its kw taps side by side in depth, and serves all
// (kd, kh) taps; panels hold four voxels of one row, so that a shift by kd or kh is a shift by
// whole panels. `im2col`, for narrow inputs and for rows that are no multiple of four voxels
// (coarse levels of some images): tiles of voxels in linear order, all taps in depth.

#include "backends/eigen/convolution.h"

#include <omp.h>

#include <algorithm>
#include <cstddef>

#include "backends/eigen/block_panel.h"
#include "backends/eigen/scratch.h"

namespace voxmark::eigen {
namespace {

// Packed rows of one tile stay in the private cache beside the weights: half of the smallest L2 of
// today's servers (512 KiB).
constexpr Index kTileFloats = 256 * 1024 / static_cast<Index>(sizeof(float));
constexpr Index kTileRows = 4;
constexpr Index kIm2colPositions = 96;  // columns of a product: amortises one pass over the weights
// Up to this many, one product over all taps beats nine of little depth.
constexpr Index kNarrowChannels = 4;

// What the routine computes: output (positions, rows) = sum over taps of input (positions, depth).
struct Problem {
  Index n, d, h, w;
  Index depth;  // channels of what is read
  Index rows;   // channels of what is written
  Index extent, pad;

  Index positions() const { return n * d * h * w; }
  Index taps() const { return extent * extent * extent; }
};

// A piece of the depth of all taps, at most about kMaxDepth long: some taps with all their
// channels, or some channels of one tap.
struct Slice {
  Index first_tap, taps;
  Index first_channel, channels;
  Index depth() const { return taps * channels; }
};

// A tap's place in the kernel, counted up without divisions.
struct Tap {
  Index d, h, w;
  Tap(const Problem& p, Index index)
      : d(index / (p.extent * p.extent)), h(index / p.extent % p.extent), w(index % p.extent) {}
  void next(const Problem& p) {
    if (++w == p.extent) {
      w = 0;
      if (++h == p.extent) {
        h = 0;
        ++d;
      }
    }
  }
};

// How the depth of `taps()` taps is cut: every slice has the same number of taps, a divisor of
// `group` (the taps that lie side by side in the packed input).
class Slices {
 public:
  Slices(const Problem& p, Index group) : problem_(p), taps_per_slice_(1) {
    for (Index taps = 1; taps <= group; ++taps) {
      if (group % taps == 0 && taps * p.depth <= kMaxDepth) {
        taps_per_slice_ = taps;
      }
    }
    parts_ = (p.depth * taps_per_slice_ + kMaxDepth - 1) / kMaxDepth;
    channels_per_part_ = (p.depth + parts_ - 1) / parts_;
    parts_ = (p.depth + channels_per_part_ - 1) / channels_per_part_;
  }
  Index count() const { return problem_.taps() / taps_per_slice_ * parts_; }
  Slice operator[](Index i) const {
    const Index first_channel = i % parts_ * channels_per_part_;
    return {i / parts_ * taps_per_slice_, taps_per_slice_, first_channel,
            std::min(channels_per_part_, problem_.depth - first_channel)};
  }
  // Floats that the packed weights of a slice take; the kernel wants each slice aligned.
  Index weights_stride() const {
    return Carver::padded(problem_.rows * taps_per_slice_ * channels_per_part_);
  }

 private:
  const Problem& problem_;
  Index taps_per_slice_, parts_, channels_per_part_;
};

bool uses_rows(const Problem& p) {
  return p.w % kPanelColumns == 0 && p.extent > 1 && p.depth > kNarrowChannels;
}
Index tap_group(const Problem& p) { return uses_rows(p) ? p.extent : p.taps(); }

// Tiles of the `rows` way: `h` x `w` voxels of a plane, moved through `d` planes.
struct Tiling {
  Index d, h, w;
  explicit Tiling(const Problem& p, int threads) {
    const Index voxel_floats = p.extent * p.depth;
    h = std::min(p.h, kTileRows);
    const Index rows = p.extent * (h + p.extent - 1);
    w = std::clamp(kTileFloats / (rows * voxel_floats) / kPanelColumns * kPanelColumns,
                   kPanelColumns, p.w);
    // As many tiles as keep all threads busy to the end; a tile packs extent - 1 planes too many.
    const Index columns = p.n * blocks(p.h, h) * blocks(p.w, w);
    const Index wanted = 8 * threads;
    d = std::clamp<Index>(p.d * columns / wanted, 1, p.d);
  }
  static Index blocks(Index size, Index block) { return (size + block - 1) / block; }
  Index ring_floats(const Problem& p) const {
    return p.extent * (h + p.extent - 1) * w * p.extent * p.depth;
  }
};

Index packed_floats(const Problem& p, int threads) {
  return uses_rows(p) ? Tiling(p, threads).ring_floats(p) : kIm2colPositions * kMaxDepth;
}

Index packed_weights_floats(const Problem& p) {
  const Slices slices(p, tap_group(p));
  return slices.count() * slices.weights_stride();
}

// Scratch: packed weights, a voxel of zeros, and a packed tile per thread.
struct Buffers {
  float* weights;
  float* zeros;
  float* packed;
  Index packed_stride;

  Buffers(const Problem& p, int threads, Carver& carver)
      : weights(carver.floats(packed_weights_floats(p))),
        zeros(carver.floats(p.depth)),
        packed_stride(Carver::padded(packed_floats(p, threads))) {
    packed = carver.floats(packed_stride * threads);
  }
};

// Packs four neighbouring voxels of a row, w to w + 3, for the taps kw0 to kw0 + taps: columns
// (taps * channels, 4). `row` is the row's voxel 0.
void pack_row_panel(const Problem& p, const float* row, const float* zeros, Index w, Index kw0,
                    Index taps, Index first_channel, Index channels, float* packed) {
  for (Index kw = kw0; kw < kw0 + taps; ++kw) {
    const float* columns[kPanelColumns];
    for (Index j = 0; j < kPanelColumns; ++j) {
      const Index from = w + j + kw - p.pad;
      columns[j] = from >= 0 && from < p.w ? row + from * p.depth + first_channel : zeros;
    }
    pack_four_columns(columns, channels, packed);
    packed += channels * kPanelColumns;
  }
}

class RowsConvolution {
 public:
  RowsConvolution(const Problem& p, const float* input, const float* bias, float* output,
                  const Buffers& buffers, int threads)
      : p_(p),
        tiling_(p, threads),
        slices_(p, p.extent),
        input_(input),
        bias_(bias),
        output_(output),
        buffers_(buffers) {}

  Index tiles() const { return p_.n * blocks_d() * blocks_h() * blocks_w(); }

  void compute(Index tile, int thread) {
    Region r;
    r.packed = buffers_.packed + thread * buffers_.packed_stride;
    r.w0 = tile % blocks_w() * tiling_.w;
    tile /= blocks_w();
    r.h0 = tile % blocks_h() * tiling_.h;
    tile /= blocks_h();
    const Index d0 = tile % blocks_d() * tiling_.d;
    r.n = tile / blocks_d();
    r.w = std::min(tiling_.w, p_.w - r.w0);
    r.h = std::min(tiling_.h, p_.h - r.h0);
    const Index d1 = std::min(d0 + tiling_.d, p_.d);

    Index next = std::max<Index>(d0 - p_.pad, 0);  // plane to pack
    for (Index d = d0; d < d1; ++d) {
      for (; next <= std::min(d + p_.pad, p_.d - 1); ++next) {
        pack_plane(r, next);
      }
      compute_plane(r, d);
    }
  }

 private:
  struct Region {
    Index n, h0, h, w0, w;
    float* packed;
  };
  Index blocks_d() const { return Tiling::blocks(p_.d, tiling_.d); }
  Index blocks_h() const { return Tiling::blocks(p_.h, tiling_.h); }
  Index blocks_w() const { return Tiling::blocks(p_.w, tiling_.w); }

  // The packed row h of plane d; the ring holds `extent` planes.
  float* packed_row(const Region& r, Index d, Index h) const {
    const Index row = d % p_.extent * (tiling_.h + p_.extent - 1) + h - (r.h0 - p_.pad);
    return r.packed + row * r.w * p_.extent * p_.depth;
  }

  void pack_plane(const Region& r, Index d) {
    const Index end = std::min(r.h0 + r.h + p_.pad, p_.h);
    for (Index h = std::max<Index>(r.h0 - p_.pad, 0); h < end; ++h) {
      const float* row = input_ + ((r.n * p_.d + d) * p_.h + h) * p_.w * p_.depth;
      float* packed = packed_row(r, d, h);
      for (Index w = 0; w < r.w; w += kPanelColumns) {
        pack_row_panel(p_, row, buffers_.zeros, r.w0 + w, 0, p_.extent, 0, p_.depth,
                       packed + w * p_.extent * p_.depth);
      }
    }
  }

  void compute_plane(const Region& r, Index d) {
    const auto output_row = [&](Index h) {
      return output_ + (((r.n * p_.d + d) * p_.h + h) * p_.w + r.w0) * p_.rows;
    };
    for (Index h = r.h0; h < r.h0 + r.h; ++h) {
      fill_rows(bias_, p_.rows, r.w, output_row(h));
    }
    for (Index i = 0; i < slices_.count(); ++i) {
      const Slice s = slices_[i];
      const Index kd = s.first_tap / (p_.extent * p_.extent);
      const Index kh = s.first_tap / p_.extent % p_.extent, kw = s.first_tap % p_.extent;
      const Index from_d = d + kd - p_.pad;
      // Rows of the tile whose tap lies inside the image.
      const Index h0 = std::max(r.h0, p_.pad - kh);
      const Index h1 = std::min(r.h0 + r.h, p_.h + p_.pad - kh);
      if (from_d < 0 || from_d >= p_.d || h0 >= h1) {
        continue;
      }
      const ResultColumns result(output_row(h0), r.w, p_.rows, p_.w * p_.rows);
      multiply(result, buffers_.weights + i * slices_.weights_stride(), {s.depth(), 0},
               packed_row(r, from_d, h0 + kh - p_.pad),
               {p_.extent * p_.depth, kw * p_.depth + s.first_channel}, p_.rows, s.depth(),
               (h1 - h0) * r.w);
    }
  }

  const Problem& p_;
  Tiling tiling_;
  Slices slices_;
  const float* input_;
  const float* bias_;
  float* output_;
  const Buffers& buffers_;
};

class Im2colConvolution {
 public:
  Im2colConvolution(const Problem& p, const float* input, const float* bias, float* output,
                    const Buffers& buffers, int threads)
      : p_(p),
        slices_(p, p.taps()),
        input_(input),
        bias_(bias),
        output_(output),
        buffers_(buffers) {
    const Index share = (p.positions() + threads - 1) / threads;
    tile_ = std::clamp<Index>((share + kPanelColumns - 1) / kPanelColumns * kPanelColumns, 16,
                              kIm2colPositions);
  }

  Index tiles() const { return Tiling::blocks(p_.positions(), tile_); }

  void compute(Index tile, int thread) {
    const Index first = tile * tile_, count = std::min(tile_, p_.positions() - first);
    float* packed = buffers_.packed + thread * buffers_.packed_stride;
    float* result = output_ + first * p_.rows;
    fill_rows(bias_, p_.rows, count, result);
    for (Index i = 0; i < slices_.count(); ++i) {
      const Slice s = slices_[i];
      pack(s, first, count, packed);
      multiply(ResultColumns(result, count, p_.rows, 0),
               buffers_.weights + i * slices_.weights_stride(), {s.depth(), 0}, packed,
               {s.depth(), 0}, p_.rows, s.depth(), count);
    }
  }

 private:
  struct Voxel {
    Index n, d, h, w;
  };
  Voxel voxel(Index position) const {
    return {position / (p_.w * p_.h * p_.d), position / (p_.w * p_.h) % p_.d,
            position / p_.w % p_.h, position % p_.w};
  }

  void pack(const Slice& s, Index first, Index count, float* packed) const {
    const Index panels = count / kPanelColumns * kPanelColumns;
    for (Index j = 0; j < panels; j += kPanelColumns) {
      const Voxel v = voxel(first + j);
      float* panel = packed + j * s.depth();
      if (v.w + kPanelColumns <= p_.w) {
        pack_within_row(s, v, panel);
      } else {
        pack_across_rows(s, first + j, panel);
      }
    }
    for (Index j = panels; j < count; ++j) {  // left-over columns stand alone
      const Voxel v = voxel(first + j);
      Tap tap(p_, s.first_tap);
      for (Index t = 0; t < s.taps; ++t, tap.next(p_)) {
        std::copy_n(source(s, v, tap), s.channels, packed + j * s.depth() + t * s.channels);
      }
    }
  }

  // Where a tap reads for voxel v: the image, or zeros.
  const float* source(const Slice& s, const Voxel& v, const Tap& tap) const {
    const Index d = v.d + tap.d - p_.pad, h = v.h + tap.h - p_.pad, w = v.w + tap.w - p_.pad;
    const bool inside = d >= 0 && d < p_.d && h >= 0 && h < p_.h && w >= 0 && w < p_.w;
    return inside ? input_ + (((v.n * p_.d + d) * p_.h + h) * p_.w + w) * p_.depth + s.first_channel
                  : buffers_.zeros;
  }

  void pack_across_rows(const Slice& s, Index position, float* panel) const {
    const Voxel v[kPanelColumns] = {voxel(position), voxel(position + 1), voxel(position + 2),
                                    voxel(position + 3)};
    Tap tap(p_, s.first_tap);
    for (Index t = 0; t < s.taps; ++t, tap.next(p_), panel += s.channels * kPanelColumns) {
      const float* const columns[kPanelColumns] = {source(s, v[0], tap), source(s, v[1], tap),
                                                   source(s, v[2], tap), source(s, v[3], tap)};
      pack_four_columns(columns, s.channels, panel);
    }
  }

  void pack_within_row(const Slice& s, const Voxel& v, float* panel) const {
    const Index panel_stride = s.channels * kPanelColumns;
    const bool interior = v.w >= p_.pad && v.w + kPanelColumns + p_.pad <= p_.w;
    Tap tap(p_, s.first_tap);
    for (Index t = 0; t < s.taps; ++t, tap.next(p_), panel += panel_stride) {
      const Index d = v.d + tap.d - p_.pad, h = v.h + tap.h - p_.pad;
      if (d < 0 || d >= p_.d || h < 0 || h >= p_.h) {
        std::fill_n(panel, panel_stride, 0.0F);
        continue;
      }
      const float* row = input_ + ((v.n * p_.d + d) * p_.h + h) * p_.w * p_.depth;
      if (interior && p_.depth == 1) {  // four voxels are four neighbouring floats
        std::copy_n(row + v.w + tap.w - p_.pad, kPanelColumns, panel);
      } else {
        pack_row_panel(p_, row, buffers_.zeros, v.w, tap.w, 1, s.first_channel, s.channels, panel);
      }
    }
  }

  const Problem& p_;
  Slices slices_;
  const float* input_;
  const float* bias_;
  float* output_;
  const Buffers& buffers_;
  Index tile_;
};

template <class Convolution, class PackTap>
void compute_all(const Problem& p, const float* input, const float* bias, float* output,
                 const Buffers& buffers, int threads, PackTap pack_tap) {
  Convolution convolution(p, input, bias, output, buffers, threads);
  const Slices slices(p, tap_group(p));
  std::fill_n(buffers.zeros, p.depth, 0.0F);
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(static)
    for (Index i = 0; i < slices.count(); ++i) {
      const Slice s = slices[i];
      for (Index t = 0; t < s.taps; ++t) {
        pack_tap(s, s.first_tap + t, buffers.weights + i * slices.weights_stride(),
                 DepthRange{s.depth(), t * s.channels});
      }
    }
#pragma omp for schedule(dynamic)
    for (Index tile = 0; tile < convolution.tiles(); ++tile) {
      convolution.compute(tile, omp_get_thread_num());
    }
  }
}

template <class PackTap>
void compute(const Problem& p, const float* input, const float* bias, float* output,
             std::byte* scratch, int threads, PackTap pack_tap) {
  Carver carver(scratch);
  const Buffers buffers(p, threads, carver);
  if (uses_rows(p)) {
    compute_all<RowsConvolution>(p, input, bias, output, buffers, threads, pack_tap);
  } else {
    compute_all<Im2colConvolution>(p, input, bias, output, buffers, threads, pack_tap);
  }
}

Problem forward(const ConvolutionShape& s) {
  return {s.n, s.d, s.h, s.w, s.in, s.out, s.extent, s.pad()};
}
Problem backward_data(const ConvolutionShape& s) {
  return {s.n, s.d, s.h, s.w, s.out, s.in, s.extent, s.pad()};
}

}  // namespace

std::int64_t convolution_scratch_bytes(const ConvolutionShape& shape, int threads) {
  std::int64_t bytes = 0;
  for (const Problem& p : {forward(shape), backward_data(shape)}) {
    Carver carver(nullptr);
    const Buffers buffers(p, threads, carver);
    bytes = std::max(bytes, carver.bytes());
  }
  return bytes;
}

const char* convolution_way(const ConvolutionShape& shape) {
  return uses_rows(forward(shape)) ? "rows" : "im2col";
}
const char* backward_data_way(const ConvolutionShape& shape) {
  return uses_rows(backward_data(shape)) ? "rows" : "im2col";
}

void convolve(const ConvolutionShape& shape, const float* input, const float* kernel,
              const float* bias, float* output, std::byte* scratch, int threads) {
  const Problem p = forward(shape);
  compute(p, input, bias, output, scratch, threads,
          [&](const Slice& s, Index tap, float* packed, DepthRange range) {
            // left (out, in) of a tap: element (o, i) at [i * out + o].
            pack_left<Eigen::ColMajor>(kernel + (tap * p.depth + s.first_channel) * p.rows, p.rows,
                                       p.rows, s.channels, packed, range);
          });
}

void convolve_backward_data(const ConvolutionShape& shape, const float* grad_output,
                            const float* kernel, float* grad_input, std::byte* scratch,
                            int threads) {
  const Problem p = backward_data(shape);
  compute(p, grad_output, nullptr, grad_input, scratch, threads,
          [&](const Slice& s, Index tap, float* packed, DepthRange range) {
            // left (in, out) of the mirrored tap: element (i, o) at [i * out + o].
            const Index mirrored = p.taps() - 1 - tap;
            pack_left<Eigen::RowMajor>(kernel + mirrored * p.rows * p.depth + s.first_channel,
                                       p.depth, p.rows, s.channels, packed, range);
          });
}

}  // namespace voxmark::eigen

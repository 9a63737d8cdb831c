// Eigen's matrix product from its parts: operands packed into panels by us, multiplied by Eigen's
// block-panel kernel (GEBP), the inner loop of every Eigen GEMM.
//
// Calling the kernel instead of `C.noalias() += A * B` buys three things. A packed operand is used
// by several products: the rows of an image for all nine (kd, kh) taps, the weights for all tiles.
// Packing reads straight from the image: no padded copy, no im2col matrix. And nothing is
// allocated. These are the pieces that Eigen's own Tensor contraction is made of.
//
// A product is result (rows, columns) += left (rows, depth) * right (depth, columns). Packed left:
// panels of up to 3 SIMD registers of rows, (depth, panel rows) each. Packed right: panels of
// kPanelColumns columns, (depth, kPanelColumns) each; columns that are left over stand alone.
#pragma once

#include <Eigen/Core>
#include <cstdint>

namespace voxmark::eigen {

using Index = Eigen::Index;
using Traits = Eigen::internal::gebp_traits<float, float>;
using Packet4 = Eigen::internal::Packet4f;

constexpr Index kPanelColumns = 4;
static_assert(Traits::nr == kPanelColumns, "packed layouts follow Eigen 3.4's block-panel kernel");

// Depth of one product: a right panel and a full left panel of this depth share a 32-KiB L1 cache.
constexpr Index kMaxDepth =
    32 * 1024 / static_cast<Index>(sizeof(float)) / (kPanelColumns + Traits::mr) / 16 * 16;

// Where column j of a product's result lies: `width` columns in a row of voxels, then the next row.
class ResultColumns {
 public:
  using LinearMapper = Eigen::internal::BlasLinearMapper<float, Index, Eigen::Unaligned>;

  // `column_stride` and `row_stride` in floats; rows of a column are contiguous. Products have
  // fewer than 2^16 columns.
  ResultColumns(float* data, Index width, Index column_stride, Index row_stride)
      : data_(data),
        width_(width),
        column_stride_(column_stride),
        row_stride_(row_stride),
        reciprocal_((std::uint64_t{1} << 32) / static_cast<std::uint64_t>(width) + 1) {}

  float& operator()(Index i, Index j) const {
    // j / width without a division, exact for j below 2^16 (Granlund and Montgomery, 1994).
    const Index row = static_cast<Index>((static_cast<std::uint64_t>(j) * reciprocal_) >> 32);
    return data_[row * row_stride_ + (j - row * width_) * column_stride_ + i];
  }
  ResultColumns from_row(Index row) const {
    ResultColumns columns = *this;
    columns.data_ += row;
    return columns;
  }
  // NOLINTBEGIN(readability-identifier-naming): what Eigen's kernel calls.
  LinearMapper getLinearMapper(Index i, Index j) const { return LinearMapper(&(*this)(i, j)); }

  // One row of as many columns as the packet has elements.
  template <class Packet>
  Packet gatherPacket(Index i, Index j) const {
    float values[Eigen::internal::unpacket_traits<Packet>::size];
    for (Index k = 0; k < Eigen::internal::unpacket_traits<Packet>::size; ++k) {
      values[k] = (*this)(i, j + k);
    }
    return Eigen::internal::ploadu<Packet>(values);
  }
  template <class Packet>
  void scatterPacket(Index i, Index j, const Packet& packet) const {
    float values[Eigen::internal::unpacket_traits<Packet>::size];
    Eigen::internal::pstoreu(values, packet);
    for (Index k = 0; k < Eigen::internal::unpacket_traits<Packet>::size; ++k) {
      (*this)(i, j + k) = values[k];
    }
  }
  // NOLINTEND(readability-identifier-naming)

 private:
  float* data_;
  Index width_, column_stride_, row_stride_;
  std::uint64_t reciprocal_;
};

// Part of a packed operand's depth: from `offset`, of `stride` in all.
struct DepthRange {
  Index stride = 0;
  Index offset = 0;
};

// Rows of one call of the kernel. It takes rows by threes of registers and does the rest one by
// one, too few sums to hide the latency of an FMA: four registers are better cut in two and two.
constexpr Index kFourRegisters = 4 * Traits::LhsProgress;
inline Index rows_per_call(Index rows) { return rows == kFourRegisters ? rows / 2 : rows; }

// result += left * right over `depth` steps of the packed operands.
inline void multiply(const ResultColumns& result, const float* left, DepthRange left_range,
                     const float* right, DepthRange right_range, Index rows, Index depth,
                     Index columns) {
  Eigen::internal::gebp_kernel<float, float, Index, ResultColumns, Traits::mr, Traits::nr, false,
                               false>
      kernel;
  const Index step = rows_per_call(rows);
  for (Index row = 0; row < rows; row += step) {
    kernel(result.from_row(row), left + row * left_range.stride, right, step, depth, columns, 1.0F,
           left_range.stride, right_range.stride, left_range.offset, right_range.offset);
  }
}

// Packs left (rows, depth) into the given part of a packed operand's depth. Column-major: element
// (i, k) at source[i + k * stride]; row-major: at source[i * stride + k].
template <int Order>
void pack_left(const float* source, Index stride, Index rows, Index depth, float* packed,
               DepthRange range) {
  using Mapper = Eigen::internal::const_blas_data_mapper<float, Index, Order>;
  Eigen::internal::gemm_pack_lhs<float, Index, Mapper, Traits::mr, Traits::LhsProgress,
                                 Traits::LhsPacket4Packing, Order, false, true>
      pack;
  const Index step = rows_per_call(rows);
  for (Index row = 0; row < rows; row += step) {
    pack(packed + row * range.stride,
         Mapper(source + row * (Order == Eigen::RowMajor ? stride : 1), stride), depth, step,
         range.stride, range.offset);
  }
}

// Writes (count, 4) <- transposed columns[0..3], each of `count` contiguous floats.
inline void pack_four_columns(const float* const (&columns)[kPanelColumns], Index count,
                              float* packed) {
  using Eigen::internal::ploadu;
  using Eigen::internal::pstoreu;
  Index k = 0;
  for (; k + 4 <= count; k += 4) {
    Eigen::internal::PacketBlock<Packet4, 4> block;
    for (int j = 0; j < 4; ++j) {
      block.packet[j] = ploadu<Packet4>(columns[j] + k);
    }
    Eigen::internal::ptranspose(block);
    for (int j = 0; j < 4; ++j) {
      pstoreu(packed + 4 * (k + j), block.packet[j]);
    }
  }
  for (; k < count; ++k) {
    for (int j = 0; j < 4; ++j) {
      packed[4 * k + j] = columns[j][k];
    }
  }
}

}  // namespace voxmark::eigen

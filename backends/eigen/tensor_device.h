// An Eigen device whose expressions allocate from planned scratch and read volume patches fast.
//
// Eigen's own evaluator of extract_volume_patches spends a dozen divisions on every packet, more
// than the products made of it. TensorFlow replaces it by packing code of its own; here the
// evaluator is replaced, for this device alone, by one that looks coordinates up in tables.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <unsupported/Eigen/CXX11/Tensor>

#include "backends/eigen/scratch.h"

namespace voxmark::eigen {

// Where a patch, or an element in a patch, lies in an image.
struct PatchPlace {
  std::int64_t offset;  // floats from the image's, or the patch's, first voxel
  std::int32_t d, h, w;
};

// Memory for one contraction at a time. A contraction takes its packing buffer once, and gives it
// back at its end.
class ScratchDevice : public Eigen::DefaultDevice {
 public:
  // At most `patches` patches of `patch_size` elements, and `packing` floats.
  ScratchDevice(std::int64_t patches, std::int64_t patch_size, std::int64_t packing, Carver& carver)
      : positions_(reinterpret_cast<PatchPlace*>(carver.floats(patches * kPlaceFloats))),
        elements_(reinterpret_cast<PatchPlace*>(carver.floats(patch_size * kPlaceFloats))),
        packing_(carver.floats(packing)),
        packing_bytes_(static_cast<std::size_t>(packing) * sizeof(float)) {}

  void* allocate(std::size_t bytes) const {
    eigen_assert(bytes <= packing_bytes_);
    return bytes <= packing_bytes_ ? packing_ : nullptr;
  }
  void deallocate(void*) const {}

  PatchPlace* positions() const { return positions_; }
  PatchPlace* elements() const { return elements_; }

 private:
  static constexpr std::int64_t kPlaceFloats = sizeof(PatchPlace) / sizeof(float);
  PatchPlace* positions_;
  PatchPlace* elements_;
  float* packing_;
  std::size_t packing_bytes_;
};

}  // namespace voxmark::eigen

namespace Eigen {

// Patches with unit strides, no inflation, explicit zero padding, of column-major (C, W, H, D, 1).
template <DenseIndex Planes, DenseIndex Rows, DenseIndex Columns, typename Argument>
struct TensorEvaluator<const TensorVolumePatchOp<Planes, Rows, Columns, Argument>,
                       voxmark::eigen::ScratchDevice> {
  using Device = voxmark::eigen::ScratchDevice;
  using XprType = TensorVolumePatchOp<Planes, Rows, Columns, Argument>;
  using Index = typename XprType::Index;
  using Dimensions = DSizes<Index, 6>;
  using Scalar = float;
  using CoeffReturnType = float;
  using PacketReturnType = typename PacketType<float, Device>::type;
  using Storage = StorageMemory<float, Device>;
  using EvaluatorPointerType = typename Storage::Type;
  using TensorBlock = internal::TensorBlockNotImplemented;
  // NOLINTBEGIN(readability-identifier-naming): what Eigen asks an evaluator for.
  static constexpr int PacketSize = PacketType<float, Device>::size;
  enum {
    IsAligned = false,
    PacketAccess = true,
    BlockAccess = false,
    PreferBlockAccess = false,
    Layout = ColMajor,
    CoordAccess = false,
    RawAccess = false
  };
  // NOLINTEND(readability-identifier-naming)

  TensorEvaluator(const XprType& op, const Device& device)
      : argument_(op.expression(), device),
        image_(argument_.data()),
        channels_(argument_.dimensions()[0]),
        w_(static_cast<std::int32_t>(argument_.dimensions()[1])),
        h_(static_cast<std::int32_t>(argument_.dimensions()[2])),
        d_(static_cast<std::int32_t>(argument_.dimensions()[3])),
        pad_w_(op.padding_top_z()),
        pad_h_(op.padding_top()),
        pad_d_(op.padding_left()),
        positions_(device.positions()),
        elements_(device.elements()) {
    const Index out_w = w_ + pad_w_ + op.padding_bottom_z() - op.patch_planes() + 1;
    const Index out_h = h_ + pad_h_ + op.padding_bottom() - op.patch_rows() + 1;
    out_d_ = d_ + pad_d_ + op.padding_right() - op.patch_cols() + 1;
    out_h_ = out_h;
    out_w_ = out_w;
    dimensions_ = Dimensions(channels_, op.patch_planes(), op.patch_rows(), op.patch_cols(),
                             out_d_ * out_h * out_w, 1);
    patch_size_ = channels_ * op.patch_planes() * op.patch_rows() * op.patch_cols();
    by_patch_size_ = internal::TensorIntDivisor<Index>(patch_size_);
  }

  const Dimensions& dimensions() const { return dimensions_; }
  EvaluatorPointerType data() const { return nullptr; }
  void cleanup() {}
  // NOLINTNEXTLINE(readability-identifier-naming): Eigen's name.
  TensorOpCost costPerCoeff(bool) const { return TensorOpCost(sizeof(float), 0, 1); }

  // NOLINTNEXTLINE(readability-identifier-naming): Eigen's name.
  bool evalSubExprsIfNeeded(EvaluatorPointerType) {
    const auto place = [&](Index d, Index h, Index w, Index c) {
      return voxmark::eigen::PatchPlace{((d * h_ + h) * w_ + w) * channels_ + c,
                                        static_cast<std::int32_t>(d), static_cast<std::int32_t>(h),
                                        static_cast<std::int32_t>(w)};
    };
    for (Index d = 0, i = 0; d < out_d_; ++d) {
      for (Index h = 0; h < out_h_; ++h) {
        for (Index w = 0; w < out_w_; ++w) {
          positions_[i++] = place(d - pad_d_, h - pad_h_, w - pad_w_, 0);
        }
      }
    }
    for (Index d = 0, i = 0; d < dimensions_[3]; ++d) {
      for (Index h = 0; h < dimensions_[2]; ++h) {
        for (Index w = 0; w < dimensions_[1]; ++w) {
          for (Index c = 0; c < channels_; ++c) {
            elements_[i++] = place(d, h, w, c);
          }
        }
      }
    }
    return true;
  }

  float coeff(Index index) const {
    const Index patch = index / by_patch_size_;
    return at(positions_[patch], elements_[index - patch * patch_size_]);
  }

  template <int LoadMode>
  PacketReturnType packet(Index index) const {
    const Index patch = index / by_patch_size_, element = index - patch * patch_size_;
    const voxmark::eigen::PatchPlace& position = positions_[patch];
    if (channels_ % PacketSize == 0 && element % PacketSize == 0) {  // within one voxel
      const voxmark::eigen::PatchPlace& first = elements_[element];
      return inside(position, first)
                 ? internal::ploadu<PacketReturnType>(image_ + position.offset + first.offset)
                 : internal::pset1<PacketReturnType>(0.0F);
    }
    float values[PacketSize];
    if (element + PacketSize <= patch_size_) {
      for (int i = 0; i < PacketSize; ++i) {
        values[i] = at(position, elements_[element + i]);
      }
    } else {
      for (int i = 0; i < PacketSize; ++i) {
        values[i] = coeff(index + i);
      }
    }
    return internal::ploadu<PacketReturnType>(values);
  }

 private:
  bool inside(const voxmark::eigen::PatchPlace& patch,
              const voxmark::eigen::PatchPlace& element) const {
    const auto within = [](std::int32_t x, std::int32_t size) {  // 0 <= x < size
      return static_cast<std::uint32_t>(x) < static_cast<std::uint32_t>(size);
    };
    return within(patch.d + element.d, d_) && within(patch.h + element.h, h_) &&
           within(patch.w + element.w, w_);
  }
  float at(const voxmark::eigen::PatchPlace& patch,
           const voxmark::eigen::PatchPlace& element) const {
    return inside(patch, element) ? image_[patch.offset + element.offset] : 0.0F;
  }

  TensorEvaluator<Argument, Device> argument_;
  const float* image_;
  Index channels_;
  std::int32_t w_, h_, d_;
  Index pad_w_, pad_h_, pad_d_;
  Index out_w_, out_h_, out_d_;
  Index patch_size_;
  internal::TensorIntDivisor<Index> by_patch_size_;
  Dimensions dimensions_;
  voxmark::eigen::PatchPlace* positions_;
  voxmark::eigen::PatchPlace* elements_;
};

}  // namespace Eigen

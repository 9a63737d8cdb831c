// Which layout every tensor has: the one place where layouts are chosen. Pure; knows the
// instruction set, not the library's primitives.
//
// Blocked layouts (nCdhw16c with AVX-512, nCdhw8c with AVX2) where the network's channels allow
// it; ndhwc else, for the whole program, because primitives that mix both fall back to reference
// loops (measured: 344 to 647 ms per step at 64x64x64).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backends/panels.h"
#include "workloads/program.h"

namespace voxmark::onednn {

struct LayoutChoice {
  std::int64_t block = 0;  // channels per panel; 0: ndhwc
  // oneDNN's AVX2 backward_weights kernel takes no padding in depth. Zero planes before and after
  // each sample in memory make it applicable: 65 to 75 GFLOP/s per core where the alternative,
  // gemm, reaches 27 to 60 (measured, Zen 3).
  bool depth_halos = false;

  std::string name() const;  // "nCdhw16c", "nCdhw8c", "ndhwc"
};

// `block`: the channels per panel that the instruction set likes, 16, 8, or 0 for none.
LayoutChoice choose_layout(const Program& program, std::int64_t block);

// Where an activation's elements lie.
struct TensorFormat {
  passes::PanelShape shape;        // of the tensor itself; channels may be padded with zeros
  std::int64_t halo = 0;           // planes of zeros before and after the depth of each panel
  TensorId root = kNoTensor;       // the tensor whose memory it lies in: itself, or a concatenation
  std::int64_t first_channel = 0;  // in the root
  bool is_flat = false;            // few channels as ncdhw

  std::int64_t plane_elements() const { return shape.h * shape.w * shape.width; }
  std::int64_t panel_elements() const { return (shape.d + 2 * halo) * plane_elements(); }
  std::int64_t elements() const { return shape.n * shape.panels * panel_elements(); }
};

class Formats {
 public:
  Formats(const Program& program, const LayoutChoice& layout, std::span<const TensorId> readable);

  const LayoutChoice& layout() const { return layout_; }
  // Of inputs, targets, activations and their gradients.
  const TensorFormat& operator[](TensorId id) const {
    return formats_.at(static_cast<std::size_t>(id));
  }
  const TensorFormat& root(TensorId id) const { return (*this)[(*this)[id].root]; }

  // `memory` is that of the root.
  template <class T>
  passes::View<T> view(TensorId id, T* memory) const {
    const TensorFormat& own = (*this)[id];
    const TensorFormat& base = root(id);
    passes::View<T> view;
    view.shape = own.shape;
    view.voxel_stride = base.shape.width;
    view.panel_stride = base.panel_elements();
    view.sample_stride = base.shape.panels * view.panel_stride;
    view.data = memory + base.halo * base.plane_elements() +
                own.first_channel / base.shape.width * view.panel_stride +
                own.first_channel % base.shape.width;
    return view;
  }

 private:
  void choose_shapes(const Program& program);
  void choose_halos(const Program& program);
  void share_concatenations(const Program& program);
  void run_in_place(const Program& program, std::span<const TensorId> readable);

  LayoutChoice layout_;
  std::vector<TensorFormat> formats_;  // by TensorId
};

}  // namespace voxmark::onednn

// Which layout every image has, and which images share memory (the parts of a concatenation, what
// runs in place): the one place where this is chosen. Pure: of oneDNN it knows the channels per
// block that the instruction set wants. Layouts of kernels are convolution.h's, after oneDNN's
// wish.
//
// Blocked layouts (nCdhw16c with AVX-512, nCdhw8c with AVX2) where the network's channels allow
// it; ndhwc else, for the whole program, because primitives that mix both fall back to reference
// loops (measured: 344 to 647 ms per step at 64x64x64).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "backends/passes/panels.h"
#include "workloads/network/program.h"

namespace voxmark::onednn {

struct LayoutChoice {
  std::int64_t block = 0;  // channels per panel; 0: ndhwc

  std::string name() const;  // "nCdhw16c", "nCdhw8c", "ndhwc"
};

// `block`: the channels per panel that the instruction set likes, 16, 8, or 0 for none.
LayoutChoice choose_layout(const Program& program, std::int64_t block);

// Where an activation's elements lie.
struct TensorFormat {
  passes::PanelShape shape;        // of the tensor itself; channels may be padded with zeros
  TensorId root = kNoTensor;       // the tensor whose memory it lies in: itself, or a concatenation
  std::int64_t first_channel = 0;  // in the root
  bool is_flat = false;            // few channels as ncdhw
  bool is_bf16 = false;            // stored as Bf16, else as float
  std::int64_t element_bytes() const { return is_bf16 ? 2 : 4; }
};

class Formats {
 public:
  // `precision`: bf16 stores the input, activations and their gradients as such, yet logits,
  // predictions and targets as float.
  Formats(const Program& program, const LayoutChoice& layout, Precision precision,
          std::span<const TensorId> readable);

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
    view.panel_stride = base.shape.voxels() * base.shape.width;
    view.sample_stride = base.shape.panels * view.panel_stride;
    view.data = memory + own.first_channel / base.shape.width * view.panel_stride +
                own.first_channel % base.shape.width;
    return view;
  }

 private:
  void choose_shapes(const Program& program, Precision precision);
  void share_concatenations(const Program& program);
  void run_in_place(const Program& program, std::span<const TensorId> readable);

  LayoutChoice layout_;
  std::vector<TensorFormat> formats_;  // by TensorId
};

}  // namespace voxmark::onednn

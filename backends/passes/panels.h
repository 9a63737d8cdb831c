// Activation memory as the fast loops see it: (N, panels, D, H, W, width).
//
// Channels last (ndhwc) is one panel whose width is C; nCdhw16c is C / 16 panels of width 16. A
// view may also be some of the channels of a wider tensor, so that a pass can write one half of a
// concatenation, or read one half of its gradient, in place.
#pragma once

#include <cassert>
#include <cstdint>

namespace voxmark::passes {

struct PanelShape {
  std::int64_t n = 0;
  std::int64_t panels = 1;
  std::int64_t d = 0, h = 0, w = 0;
  std::int64_t width = 0;  // channels of one panel

  std::int64_t channels() const { return panels * width; }
  std::int64_t voxels() const { return d * h * w; }  // of one sample
  std::int64_t elements() const { return n * channels() * voxels(); }
  bool operator==(const PanelShape&) const = default;
};

inline PanelShape channels_last(std::int64_t n, std::int64_t d, std::int64_t h, std::int64_t w,
                                std::int64_t channels) {
  return {n, 1, d, h, w, channels};
}
// `channels` is a multiple of `block`.
inline PanelShape blocked(std::int64_t n, std::int64_t d, std::int64_t h, std::int64_t w,
                          std::int64_t channels, std::int64_t block) {
  assert(channels % block == 0);
  return {n, channels / block, d, h, w, block};
}

// Channel c of panel p of voxel v = (d * H + h) * W + w of sample n lies at
// data[n * sample_stride + p * panel_stride + v * voxel_stride + c].
template <class T>
struct View {
  T* data = nullptr;
  PanelShape shape;
  std::int64_t voxel_stride = 0, panel_stride = 0, sample_stride = 0;

  T* panel(std::int64_t sample, std::int64_t index) const {
    return data + sample * sample_stride + index * panel_stride;
  }
};

// Channels [first_channel, first_channel + channels) of a tensor. Of a blocked tensor (more than
// one panel), both are multiples of its width.
template <class T>
View<T> slice(const PanelShape& tensor, T* data, std::int64_t first_channel,
              std::int64_t channels) {
  assert(first_channel >= 0 && first_channel + channels <= tensor.channels());
  View<T> view;
  view.shape = tensor;
  view.voxel_stride = tensor.width;
  view.panel_stride = tensor.voxels() * tensor.width;
  view.sample_stride = tensor.panels * view.panel_stride;
  if (tensor.panels == 1) {
    view.shape.width = channels;
    view.data = data + first_channel;
  } else {
    assert(first_channel % tensor.width == 0 && channels % tensor.width == 0);
    view.shape.panels = channels / tensor.width;
    view.data = data + first_channel / tensor.width * view.panel_stride;
  }
  return view;
}

// What a pass reads and what it writes: in(shape, x), out(shape, y), whole tensors or slices.
template <class T>
View<const T> in(const PanelShape& tensor, const T* data) {
  return slice<const T>(tensor, data, 0, tensor.channels());
}
template <class T>
View<const T> in_slice(const PanelShape& tensor, const T* data, std::int64_t first_channel,
                       std::int64_t channels) {
  return slice<const T>(tensor, data, first_channel, channels);
}
template <class T>
View<T> out(const PanelShape& tensor, T* data) {
  return slice<T>(tensor, data, 0, tensor.channels());
}
template <class T>
View<T> out_slice(const PanelShape& tensor, T* data, std::int64_t first_channel,
                  std::int64_t channels) {
  return slice<T>(tensor, data, first_channel, channels);
}

}  // namespace voxmark::passes

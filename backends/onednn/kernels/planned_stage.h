// A stage before and after memory is known: what it needs, and how it becomes a call.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <dnnl.hpp>
#include <functional>
#include <map>
#include <string>
#include <type_traits>

#include "backends/bf16.h"
#include "backends/onednn/kernels/formats.h"
#include "backends/passes/lanes.h"
#include "backends/plan/memory_plan.h"
#include "workloads/network/program.h"

namespace voxmark::onednn {

// oneDNN's layouts of convolution kernels, their gradients and Adam's m and v, by TensorId.
// Parameters that are not here are plain arrays in the program's layout.
using ParameterFormats = std::map<TensorId, dnnl::memory::desc>;

// Of 3x3x3 convolutions and their gradients.
enum class Algorithm {
  winograd,  // winograd.h's where it saves time, else as direct
  direct,    // oneDNN's; loops of our own where oneDNN has none but its reference's
};

// What is known before any memory is.
struct Context {
  const Program& program;
  const Formats& formats;
  ParameterFormats parameters;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  int threads = 1;
  Algorithm algorithm = Algorithm::winograd;
};

// Where everything lies, once it does.
class Memory {
 public:
  Memory(const Formats& formats, std::byte* arena, std::vector<std::int64_t> offsets)
      : formats_(formats), arena_(arena), offsets_(std::move(offsets)) {}

  // The first byte of the tensor's memory; of activations, that of its root.
  std::byte* bytes(TensorId id) const {
    const TensorId root = is_image(id) ? formats_[id].root : id;
    return arena_ + offsets_[static_cast<std::size_t>(root)];
  }
  // Of parameters and of images that are stored as float.
  float* data(TensorId id) const {
    assert(!is_image(id) || !formats_[id].is_bf16);
    return reinterpret_cast<float*>(bytes(id));
  }
  double* reduction(TensorId id) const {
    return reinterpret_cast<double*>(arena_ + offsets_[static_cast<std::size_t>(id)]);
  }
  // T is the tensor's storage type.
  template <class T>
  passes::View<T> out(TensorId id) const {
    assert(formats_[id].is_bf16 == (std::is_same_v<T, Bf16>));
    return formats_.view(id, reinterpret_cast<T*>(bytes(id)));
  }
  template <class T>
  passes::View<const T> in(TensorId id) const {
    const passes::View<T> view = out<T>(id);
    return {view.data, view.shape, view.voxel_stride, view.panel_stride, view.sample_stride};
  }

 private:
  bool is_image(TensorId id) const { return formats_[id].shape.n > 0; }

  const Formats& formats_;
  std::byte* arena_;
  std::vector<std::int64_t> offsets_;  // bytes; of roots and of all that is not an image
};

// Calls f.operator()<T>() for the storage type of a tensor.
template <class F>
auto with_storage(const TensorFormat& format, const F& f) {
  return format.is_bf16 ? f.template operator()<Bf16>() : f.template operator()<float>();
}

using Call = std::function<void()>;

struct PlannedStage {
  std::int64_t scratch_bytes = 0;
  std::string implementation;
  std::string isa = passes::kNativeIsa;  // of loops of our own: what they are compiled for
  // Once: makes primitives and resolves addresses, so that the call does neither.
  std::function<Call(const Memory&, std::byte* scratch)> bind;
};

// Divides a stage's scratch.
class ScratchSpace {
 public:
  std::int64_t reserve(std::int64_t bytes) {
    const std::int64_t offset = bytes_;
    bytes_ += (bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
    return offset;
  }
  std::int64_t bytes() const { return bytes_; }

 private:
  std::int64_t bytes_ = 0;
};

}  // namespace voxmark::onednn

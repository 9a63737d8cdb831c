// Cuts planned scratch memory into buffers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace voxmark::eigen {

// Hands out 64-byte aligned buffers one after the other. With no memory it only counts, so that
// planning and running share one description of the buffers.
class Carver {
 public:
  explicit Carver(std::byte* memory) : memory_(memory) {}

  float* floats(std::int64_t count) {
    return reinterpret_cast<float*>(take(padded(count) * static_cast<std::int64_t>(sizeof(float))));
  }
  // `bytes` is a multiple of 64.
  std::byte* take(std::int64_t bytes) {
    const std::int64_t offset = bytes_;
    bytes_ += bytes;
    return memory_ == nullptr ? nullptr : memory_ + offset;
  }
  std::int64_t bytes() const { return bytes_; }

  // Floats, rounded up to whole cache lines.
  static std::int64_t padded(std::int64_t count) { return (count + 15) / 16 * 16; }

 private:
  std::byte* memory_;
  std::int64_t bytes_ = 0;
};

// Writes `values` (channels), or zeros where it is null, to `count` consecutive voxels.
inline void fill_rows(const float* values, std::int64_t channels, std::int64_t count,
                      float* voxels) {
  if (values == nullptr) {
    std::fill_n(voxels, count * channels, 0.0F);
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) {
    std::copy_n(values, channels, voxels + i * channels);
  }
}

}  // namespace voxmark::eigen

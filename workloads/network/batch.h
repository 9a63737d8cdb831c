// One batch of images and targets, as every backend receives it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace voxmark {

// Extents of a volume. d, h, w are dim0, dim1, dim2 of the arrays that Keras and nibabel show;
// w varies fastest in voxmark's memory.
struct Dims {
  std::int64_t d = 0;
  std::int64_t h = 0;
  std::int64_t w = 0;

  std::int64_t voxels() const { return d * h * w; }
  friend bool operator==(const Dims&, const Dims&) = default;
};

// "64x64x48"
std::string to_string(const Dims& dims);

// Parses "64" (a cube) or "64x64x48". Throws Error (bad_input) on anything else, on extents below
// 1, and when the number of voxels overflows 64 bits.
Dims parse_dims(const std::string& text);

struct Batch {
  std::int64_t images = 0;  // N
  Dims dims;
  std::int64_t input_channels = 0;
  std::int64_t output_channels = 0;
  std::vector<float> input;   // (N, D, H, W, input_channels)
  std::vector<float> target;  // (N, D, H, W, output_channels), each 0 or 1
};

// SHA-256 over input, then target, as little-endian float32: the same for every backend's copy.
std::string sha256_hex(const Batch& batch);

}  // namespace voxmark

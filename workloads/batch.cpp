#include "workloads/batch.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/sha256.h"

namespace voxmark {
namespace {

std::int64_t parse_extent(std::string_view text, const std::string& whole) {
  std::int64_t extent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
  if (error != std::errc() || end != text.data() + text.size() || extent < 1) {
    throw_bad_input(
        "dims: '{}': extent '{}', expected \"64\" or \"64x64x48\" with whole numbers "
        "from 1",
        whole, text);
  }
  return extent;
}

}  // namespace

std::string to_string(const Dims& dims) { return fmt::format("{}x{}x{}", dims.d, dims.h, dims.w); }

Dims parse_dims(const std::string& text) {
  std::vector<std::int64_t> extents;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('x', begin), text.size());
    extents.push_back(parse_extent(std::string_view(text).substr(begin, end - begin), text));
    begin = end + 1;
  }
  if (extents.size() == 1) extents.resize(3, extents.front());
  if (extents.size() != 3) {
    throw_bad_input("dims: '{}': {} extents, expected 1 (a cube) or 3", text, extents.size());
  }
  std::int64_t voxels = 1;
  for (const std::int64_t extent : extents) {
    if (__builtin_mul_overflow(voxels, extent, &voxels)) {
      throw_bad_input("dims: '{}': the number of voxels overflows 64 bits", text);
    }
  }
  return {extents[0], extents[1], extents[2]};
}

std::string sha256_hex(const Batch& batch) {
  static_assert(std::endian::native == std::endian::little, "hashes the bytes as they lie");
  Sha256 digest;
  digest.update(std::as_bytes(std::span(batch.input)));
  digest.update(std::as_bytes(std::span(batch.target)));
  return digest.hex();
}

}  // namespace voxmark

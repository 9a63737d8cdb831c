#include "workloads/network/batch.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/sha256.h"

namespace voxmark {
namespace {

// What was meant by "128, 128, 64", "128X128X64" or "128×128×64": "; type 128x128x64".
std::string meant_by(const std::string& text) {
  std::vector<std::string> numbers;
  bool in_number = false;
  for (const char c : text) {
    const bool is_digit = c >= '0' && c <= '9';
    if (is_digit && !in_number) {
      numbers.emplace_back();
    }
    if (is_digit) {
      numbers.back() += c;
    }
    const bool separates =
        std::string_view(" xX*,;:/()[]\"'\t\xc3\x97").find(c) != std::string_view::npos;
    if (!is_digit && !separates) {
      return "";
    }
    in_number = is_digit;
  }
  const std::string meant = fmt::format("{}", fmt::join(numbers, "x"));
  if ((numbers.size() != 1 && numbers.size() != 3) || meant == text) {
    return "";
  }
  return "; type " + meant;
}

std::int64_t parse_extent(std::string_view text, const std::string& whole) {
  std::int64_t extent = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), extent);
  if (error != std::errc() || end != text.data() + text.size() || extent < 1) {
    throw_bad_input(
        "dims: '{}': extent '{}', expected \"64\" or \"64x64x48\" with whole numbers "
        "from 1{}",
        whole, text, meant_by(whole));
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
  if (extents.size() == 1) {
    extents.resize(3, extents.front());
  }
  if (extents.size() != 3) {
    throw_bad_input(
        "dims: '{}': {} extents, expected 1 (\"64\", a cube) or 3 (\"64x64x48\"): a 3D network has "
        "three axes",
        text, extents.size());
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

// bfloat16 as storage: the upper half of a float. Arithmetic is always in float.
#pragma once

#include <bit>
#include <cstdint>

namespace voxmark {

struct Bf16 {
  std::uint16_t bits;

  Bf16() = default;
  // Rounds to nearest, ties to even, as hardware does; NaN stays NaN.
  explicit Bf16(float x) {
    const std::uint32_t word = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t rounded = (word + 0x7FFFU + ((word >> 16U) & 1U)) >> 16U;
    constexpr std::uint32_t kNotANumber = 0x7FC0U;
    bits = static_cast<std::uint16_t>(x == x ? rounded : kNotANumber);
  }
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
  }
  explicit operator double() const { return static_cast<double>(static_cast<float>(*this)); }
};

}  // namespace voxmark

// exp of a vector of floats, within 2 units in the last place of the true value.
#pragma once

#include <cstdint>
#include <cstring>

#include "backends/passes/lanes.h"

namespace voxmark::passes {

// x is clamped to [kLeastExponent, kLargestExponent], where the result is a normal float; NaN stays
// NaN. exp(x) = 2^n * exp(r), |r| <= ln(2) / 2, and the polynomial of Cephes' expf (S. Moshier).
constexpr float kLeastExponent = -87.33654F;   // just above ln(2^-126)
constexpr float kLargestExponent = 88.37626F;  // just below ln(2^127.5): n stays at most 127

template <class V>
V exp_lanes(V x) {
  using Int = IntLanes<V>;
  const V least = fill<V>(kLeastExponent), largest = fill<V>(kLargestExponent);
  x = x < least ? least : x;
  x = x > largest ? largest : x;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  const V magic = fill<V>(12582912.0F);
  const V shifted = x * fill<V>(1.44269504F) + magic;
  const V n = shifted - magic;
  // ln(2) in two parts; n times the first is exact.
  const V r = (x - n * fill<V>(0.693359375F)) - n * fill<V>(-2.12194440e-4F);
  V p = fill<V>(1.9875691500e-4F);
  p = p * r + fill<V>(1.3981999507e-3F);
  p = p * r + fill<V>(8.3334519073e-3F);
  p = p * r + fill<V>(4.1665795894e-2F);
  p = p * r + fill<V>(1.6666665459e-1F);
  p = p * r + fill<V>(5.0000001201e-1F);
  const V value = (p * (r * r) + r) + fill<V>(1.0F);
  Int exponent;
  std::memcpy(&exponent, &shifted, sizeof exponent);
  // The low bits of `shifted` are n plus those of `magic`, 0x4B400000; float's bias is 127.
  exponent = (exponent - fill_int<V>(0x4B400000 - 127)) << 23;
  V power;
  std::memcpy(&power, &exponent, sizeof power);
  return value * power;
}

}  // namespace voxmark::passes

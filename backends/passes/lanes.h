// Vectors of floats as wide as this CPU's registers, and the doubles that their sums go to.
//
// GCC's vector types keep accumulators in registers where plain loops over small arrays do not.
// A single float is a vector of one lane, so that one template serves the channels left over.
#pragma once

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <type_traits>
#include <utility>

#include "backends/bf16.h"

namespace voxmark::passes {

// Floats of a vector of the instruction set that this is compiled for, and the set's name.
#if defined(__AVX512F__)
constexpr std::int64_t kNativeLanes = 16;
constexpr const char* kNativeIsa = "avx512";
#elif defined(__AVX__)
constexpr std::int64_t kNativeLanes = 8;
#if defined(__AVX2__)
constexpr const char* kNativeIsa = "avx2";
#else
constexpr const char* kNativeIsa = "avx";
#endif
#else
constexpr std::int64_t kNativeLanes = 4;
constexpr const char* kNativeIsa = "sse2";
#endif

// g++ 12 drops the attribute of an alias that depends on N: these stay typedefs.
// NOLINTBEGIN(modernize-use-using)
template <std::int64_t N>
struct LaneTypes {
  typedef float Float __attribute__((vector_size(4 * N)));
  typedef std::int32_t Int __attribute__((vector_size(4 * N)));
  typedef std::uint32_t Word __attribute__((vector_size(4 * N)));
  typedef std::uint16_t Half __attribute__((vector_size(2 * N)));
  typedef double Double __attribute__((vector_size(4 * N)));  // N / 2 of them
};
// NOLINTEND(modernize-use-using)
template <>
struct LaneTypes<1> {
  using Float = float;
  using Int = std::int32_t;
};
template <std::int64_t N>
using Lanes = typename LaneTypes<N>::Float;
using NativeLanes = Lanes<kNativeLanes>;

template <class V>
constexpr std::int64_t kLanes = static_cast<std::int64_t>(sizeof(V) / sizeof(float));
static_assert(kLanes<NativeLanes> == kNativeLanes);
template <class V>
using IntLanes = typename LaneTypes<kLanes<V>>::Int;

// From and to storage of any alignment.
template <class V>
V load(const float* from) {
  V lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
template <class V>
void store(V lanes, float* to) {
  std::memcpy(to, &lanes, sizeof lanes);
}

// The same of bf16 storage: widened, and rounded to nearest even.
template <class V>
V load(const Bf16* from) {
  if constexpr (kLanes<V> == 1) {
    return static_cast<float>(*from);
  } else {
    using Types = LaneTypes<kLanes<V>>;
    typename Types::Half halves;
    std::memcpy(&halves, from, sizeof halves);
    V lanes;
    const auto words = __builtin_convertvector(halves, typename Types::Word) << 16;
    std::memcpy(&lanes, &words, sizeof lanes);
    return lanes;
  }
}
template <class V>
auto to_bf16(V lanes) {
  using Types = LaneTypes<kLanes<V>>;
#if defined(__AVX512BF16__)
  if constexpr (kLanes<V> == 16) {
    const __m256bh rounded = _mm512_cvtneps_pbh(lanes);
    typename Types::Half halves;
    std::memcpy(&halves, &rounded, sizeof halves);
    return halves;
  }
#endif
  typename Types::Word words;
  std::memcpy(&words, &lanes, sizeof words);
  const auto rounded = (words + 0x7FFF + ((words >> 16) & 1)) >> 16;
  const typename Types::Word not_a_number = typename Types::Word{} + 0x7FC0;
  const auto is_nan = (words & 0x7FFFFFFF) > 0x7F800000;
  return __builtin_convertvector(is_nan ? not_a_number : rounded, typename Types::Half);
}
template <class V>
void store(V lanes, Bf16* to) {
  if constexpr (kLanes<V> == 1) {
    *to = Bf16(lanes);
  } else {
    const auto halves = to_bf16(lanes);
    std::memcpy(to, &halves, sizeof halves);
  }
}

// Past the caches, to an address aligned to the vector: saves reading the line first. A thread that
// streamed calls _mm_sfence() before others read.
template <class V>
void stream(V lanes, float* to) {
  if constexpr (kLanes<V> == 4) {
    _mm_stream_ps(to, lanes);
#if defined(__AVX__)
  } else if constexpr (kLanes<V> == 8) {
    _mm256_stream_ps(to, lanes);
#endif
#if defined(__AVX512F__)
  } else if constexpr (kLanes<V> == 16) {
    _mm512_stream_ps(to, lanes);
#endif
  } else {
    store(lanes, to);
  }
}

template <class V>
void stream(V lanes, Bf16* to) {
#if defined(__AVX__)
  if constexpr (kLanes<V> == 16) {
    const auto halves = to_bf16(lanes);
    __m256i bits;
    std::memcpy(&bits, &halves, sizeof bits);
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), bits);
    return;
  }
#endif
  store(lanes, to);
}

template <class V>
V fill(float x) {
  return x - V{};
}

template <class V>
IntLanes<V> fill_int(std::int32_t x) {
  return x - IntLanes<V>{};
}

// N floats as doubles.
template <class V>
struct Wide {
  using Double = typename LaneTypes<kLanes<V>>::Double;
  Double low{}, high{};

  void add(const Wide& x) {
    low += x.low;
    high += x.high;
  }
  void add_product(const Wide& a, const Wide& b) {
    low += a.low * b.low;
    high += a.high * b.high;
  }
  Wide operator-(const Wide& x) const { return {low - x.low, high - x.high}; }
  static Wide load(const double* from) {
    Wide wide;
    std::memcpy(&wide.low, from, sizeof wide.low);
    std::memcpy(&wide.high, from + kLanes<V> / 2, sizeof wide.high);
    return wide;
  }
  void store(double* to) const {
    std::memcpy(to, &low, sizeof low);
    std::memcpy(to + kLanes<V> / 2, &high, sizeof high);
  }
};
template <>
struct Wide<float> {
  double value = 0;

  void add(const Wide& x) { value += x.value; }
  void add_product(const Wide& a, const Wide& b) { value += a.value * b.value; }
  Wide operator-(const Wide& x) const { return {value - x.value}; }
  static Wide load(const double* from) { return {*from}; }
  void store(double* to) const { *to = value; }
};

// Half a vector to doubles; g++ 12 compiles __builtin_convertvector to twice the instructions.
template <class V, class Half>
typename Wide<V>::Double to_doubles(Half half) {
#if defined(__AVX__)
  if constexpr (kLanes<V> == 8) {
    return _mm256_cvtps_pd(half);
  }
#endif
#if defined(__AVX512F__)
  if constexpr (kLanes<V> == 16) {
    return _mm512_maskz_cvtps_pd(0xFF, half);  // unmasked: g++ 12 warns of its own header
  }
#endif
  return __builtin_convertvector(half, typename Wide<V>::Double);
}

template <class V>
Wide<V> widen(V x) {
  if constexpr (std::is_same_v<V, float>) {
    return {static_cast<double>(x)};
  } else {
    constexpr int kHalf = static_cast<int>(kLanes<V>) / 2;
    return [&]<int... I>(std::integer_sequence<int, I...>) -> Wide<V> {
      return {to_doubles<V>(__builtin_shufflevector(x, x, I...)),
              to_doubles<V>(__builtin_shufflevector(x, x, (kHalf + I)...))};
    }(std::make_integer_sequence<int, kHalf>{});
  }
}

// Rounded to floats.
template <class V>
V narrow(const Wide<V>& x) {
  double doubles[static_cast<std::size_t>(kLanes<V>)];
  float floats[static_cast<std::size_t>(kLanes<V>)];
  x.store(doubles);
  std::transform(std::begin(doubles), std::end(doubles), floats,
                 [](double value) { return static_cast<float>(value); });
  return load<V>(floats);
}

// Calls f.operator()<V, U>(c) for groups of U vectors that cover channels [0, width), widest first.
template <class F>
void for_each_lane_group(std::int64_t width, F f) {
  std::int64_t c = 0;
  for (; c + 2 * kNativeLanes <= width; c += 2 * kNativeLanes) {
    f.template operator()<NativeLanes, 2>(c);
  }
  for (; c + kNativeLanes <= width; c += kNativeLanes) {
    f.template operator()<NativeLanes, 1>(c);
  }
  if constexpr (kNativeLanes > 8) {
    for (; c + 8 <= width; c += 8) {
      f.template operator()<Lanes<8>, 1>(c);
    }
  }
  if constexpr (kNativeLanes > 4) {
    for (; c + 4 <= width; c += 4) {
      f.template operator()<Lanes<4>, 1>(c);
    }
  }
  for (; c < width; ++c) {
    f.template operator()<float, 1>(c);
  }
}

}  // namespace voxmark::passes

#include "benches/limits/limit_kernels.h"

#include <array>
#include <cstddef>
#include <utility>

namespace voxmark {
namespace {

// A fold and no loop, so that every compiler keeps the sums in registers. Inlined into a function
// of each instruction set, and compiled for that one.
template <class Vector, std::size_t... I>
[[gnu::always_inline]] inline float rounds_of(std::int64_t rounds,
                                              std::index_sequence<I...> /*sums*/) {
  // The sums tend to increment / (1 - factor) = 1: never infinite, never denormal.
  const Vector factor = Vector{} + 0.999F;
  const Vector increment = Vector{} + 0.001F;
  std::array<Vector, sizeof...(I)> sums = {(Vector{} + 0.01F * static_cast<float>(I))...};
  for (std::int64_t round = 0; round < rounds; ++round) {
    ((sums[I] = sums[I] * factor + increment), ...);
  }
  const Vector total = (sums[I] + ...);
  float result = 0;
  for (std::size_t lane = 0; lane < sizeof(Vector) / sizeof(float); ++lane) {
    result += total[lane];
  }
  return result;
}

// Enough sums to fill the pipelines (latency 4 or 5, two units), and few enough that they and both
// factors stay in registers.
constexpr std::size_t kSums = 12;        // of 16 registers
constexpr std::size_t kAvx512Sums = 24;  // of 32

using Avx512 __attribute__((vector_size(64))) = float;
using Avx2 __attribute__((vector_size(32))) = float;
using Sse2 __attribute__((vector_size(16))) = float;

constexpr std::int64_t flops(std::size_t sums, std::size_t vector_bytes) {
  return static_cast<std::int64_t>(2 * sums * vector_bytes / sizeof(float));
}

[[gnu::target("avx512f")]] float avx512_rounds(std::int64_t rounds) {
  return rounds_of<Avx512>(rounds, std::make_index_sequence<kAvx512Sums>());
}

[[gnu::target("avx2,fma")]] float avx2_rounds(std::int64_t rounds) {
  return rounds_of<Avx2>(rounds, std::make_index_sequence<kSums>());
}

float sse2_rounds(std::int64_t rounds) {
  return rounds_of<Sse2>(rounds, std::make_index_sequence<kSums>());
}

}  // namespace

MultiplyAdd multiply_add() {
  if (__builtin_cpu_supports("avx512f") != 0) {
    return {"avx512", flops(kAvx512Sums, sizeof(Avx512)), avx512_rounds};
  }
  if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0) {
    return {"avx2", flops(kSums, sizeof(Avx2)), avx2_rounds};
  }
  return {"sse2", flops(kSums, sizeof(Sse2)), sse2_rounds};
}

void triad(std::span<double> to, std::span<const double> from, std::span<const double> other,
           double factor) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] = from[i] + factor * other[i];
  }
}

}  // namespace voxmark

#include "benches/limit_kernels.h"

#include <array>
#include <cstddef>
#include <utility>

namespace voxmark {
namespace {

// Enough sums to fill the pipelines (latency 4 or 5, two units), and few enough that they and both
// factors stay in registers.
#if defined(__AVX512F__)
constexpr std::size_t kVectorBytes = 64;
constexpr std::size_t kSums = 24;  // of 32 registers
constexpr const char* kIsa = "avx512";
#elif defined(__AVX2__) && defined(__FMA__)
constexpr std::size_t kVectorBytes = 32;
constexpr std::size_t kSums = 12;  // of 16
constexpr const char* kIsa = "avx2";
#else
constexpr std::size_t kVectorBytes = 16;
constexpr std::size_t kSums = 12;
constexpr const char* kIsa = "sse2";
#endif

using Vector __attribute__((vector_size(kVectorBytes))) = float;
constexpr std::size_t kLanes = kVectorBytes / sizeof(float);

// A fold and no loop, so that every compiler keeps the sums in registers.
template <std::size_t... I>
float rounds_of(std::int64_t rounds, std::index_sequence<I...> /*sums*/) {
  // The sums tend to increment / (1 - factor) = 1: never infinite, never denormal.
  const Vector factor = Vector{} + 0.999F;
  const Vector increment = Vector{} + 0.001F;
  std::array<Vector, sizeof...(I)> sums = {(Vector{} + 0.01F * static_cast<float>(I))...};
  for (std::int64_t round = 0; round < rounds; ++round) {
    ((sums[I] = sums[I] * factor + increment), ...);
  }
  const Vector total = (sums[I] + ...);
  float result = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    result += total[lane];
  }
  return result;
}

}  // namespace

std::int64_t flops_per_round() { return 2 * kSums * kLanes; }

const char* multiply_add_isa() { return kIsa; }

float multiply_add_rounds(std::int64_t rounds) {
  return rounds_of(rounds, std::make_index_sequence<kSums>());
}

void triad(std::span<double> to, std::span<const double> from, std::span<const double> other,
           double factor) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] = from[i] + factor * other[i];
  }
}

}  // namespace voxmark

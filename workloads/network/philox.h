// Philox4x32-10, a counter-based random generator: element i of tensor s under a seed is a pure
// function of (seed, s, i), whatever computed it, in whatever order, on however many threads.
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <array>
#include <cstdint>

namespace voxmark {

// The ten-round generator: one block of four 32-bit words per counter.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53U;
  constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57U;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9U;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85U;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * counter[0];
    const std::uint64_t product1 = kMultiplier1 * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32U) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32U) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

// A uniform integer in [0, 2^24): the upper 24 bits of the block's first word. The counter is the
// element's index and its stream (which tells tensors apart), the key is the seed.
constexpr std::uint32_t uniform_24_bits(std::uint64_t seed, std::uint64_t stream,
                                        std::uint64_t index) {
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32U); };
  return philox4x32({low(index), high(index), low(stream), high(stream)},
                    {low(seed), high(seed)})[0] >>
         8U;
}

// A uniform float in [0, 1): uniform_24_bits x 2^-24, which is exact in float.
constexpr float uniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  return static_cast<float>(uniform_24_bits(seed, stream, index)) * 0x1p-24F;
}

}  // namespace voxmark

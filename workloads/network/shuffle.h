// An order of n things, drawn from Philox: the same on every machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "workloads/network/philox.h"

namespace voxmark {

// A permutation of 0..count-1 (Fisher-Yates). Choosing among k by 24 random bits favours some of
// them by less than k / 2^24, which no data set here is large enough to show.
inline std::vector<std::size_t> shuffled(std::size_t count, std::uint64_t seed,
                                         std::uint64_t stream) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t left = count; left > 1; --left) {
    const std::size_t chosen = (uniform_24_bits(seed, stream, left) * std::uint64_t{left}) >> 24U;
    std::swap(order[left - 1], order[chosen]);
  }
  return order;
}

}  // namespace voxmark

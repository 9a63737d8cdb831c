// Places buffers with known lifetimes in one arena: sizes and lifetimes in, offsets out. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace voxmark {

struct Buffer {
  std::int64_t bytes = 0;
  int first_step = 0;  // both ends inclusive
  int last_step = 0;
};

struct Placement {
  std::vector<std::int64_t> offsets;  // bytes, per buffer, each a multiple of the alignment
  std::int64_t arena_bytes = 0;
};

constexpr std::int64_t kBufferAlignment = 64;  // a cache line, and a full AVX-512 register

// Two buffers that live at the same step never overlap. Greedy by size, as in Pisarchyk and Lee,
// "Efficient Memory Management for Deep Neural Net Inference" (2020): the largest buffer first,
// each into the smallest gap that fits between the already placed buffers alive with it. As long as
// the result is above peak_bytes(), what ended at the top is placed first, a limited number of
// times.
Placement place_buffers(std::span<const Buffer> buffers);

// The largest sum of bytes alive at one step: no placement can be smaller.
std::int64_t peak_bytes(std::span<const Buffer> buffers);

}  // namespace voxmark

// Which thread touches which page of an arena first. The kernel puts a page on the NUMA node of the
// thread that touches it first, so a tensor should be touched as it will be worked on: in equal
// contiguous shares, one per thread. An arena divided as a whole would put whole tensors on one
// node. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace voxmark {

// What lies in an arena at some time: bytes [begin, begin + bytes).
struct Region {
  std::int64_t begin = 0;
  std::int64_t bytes = 0;
};

// Bytes [begin, end), whole pages but for the arena's end.
struct PageRun {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// By thread, every page of the arena once. Where regions overlap, as those of tensors that live at
// different times do, the largest one decides; pages in no region are shared like a region of their
// own. `arena_bytes` at least 1; `page_bytes`: a power of two.
std::vector<std::vector<PageRun>> first_touch(std::int64_t arena_bytes, std::int64_t page_bytes,
                                              std::span<const Region> regions, int threads);

}  // namespace voxmark

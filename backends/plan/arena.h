// One mmap'ed block of memory, touched once before any step runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "backends/plan/first_touch.h"

namespace voxmark {

class Arena {
 public:
  Arena() = default;
  // Zero-filled, page-aligned; huge pages are asked for (madvise), and every page is touched by the
  // `threads` threads in parallel, as first_touch() divides what will lie in it, so that no step
  // pays for page faults. Throws Error (cannot_here) when the system refuses.
  Arena(std::int64_t bytes, int threads, std::span<const Region> regions = {});
  ~Arena();
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&& other) noexcept;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  std::byte* at(std::int64_t offset) const { return data_ + offset; }
  std::int64_t bytes() const { return bytes_; }
  // What the first touch of every page took, in seconds.
  double touch_seconds() const { return touch_seconds_; }

 private:
  std::byte* data_ = nullptr;
  std::int64_t bytes_ = 0;
  double touch_seconds_ = 0;
};

// Denormals cost several times the seconds of normal numbers (407 against 158 GFLOP/s, measured):
// every backend flushes them to zero (FTZ, DAZ) in the calling thread and in its OpenMP threads.
void flush_denormals(int threads);

}  // namespace voxmark

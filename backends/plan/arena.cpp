#include "backends/plan/arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include "base/error.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

namespace voxmark {

Arena::Arena(std::int64_t bytes, int threads, std::span<const Region> regions)
    : bytes_(std::max<std::int64_t>(bytes, 1)) {
  const auto size = static_cast<std::size_t>(bytes_);
  void* block = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (block == MAP_FAILED) {
    throw Error(ExitCode::cannot_here,
                fmt::format("arena of {} bytes: mmap: {}", bytes_, describe_errno(errno)));
  }
  data_ = static_cast<std::byte*>(block);
  madvise(block, size, MADV_HUGEPAGE);  // a wish: without huge pages all works, 4 to 8% slower
  const std::int64_t page = sysconf(_SC_PAGESIZE);
  const std::vector<std::vector<PageRun>> touched = first_touch(bytes_, page, regions, threads);
  const auto start = std::chrono::steady_clock::now();
#pragma omp parallel for schedule(static, 1) num_threads(threads)
  for (const std::vector<PageRun>& own : touched) {
    for (const PageRun& run : own) {
      for (std::int64_t offset = run.begin; offset < run.end; offset += page) {
        data_[offset] = std::byte{0};
      }
    }
  }
  touch_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Arena::~Arena() {
  if (data_ != nullptr) {
    munmap(data_, static_cast<std::size_t>(bytes_));
  }
}

Arena::Arena(Arena&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      touch_seconds_(std::exchange(other.touch_seconds_, 0)) {}

Arena& Arena::operator=(Arena&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(touch_seconds_, other.touch_seconds_);
  return *this;
}

void flush_denormals(int threads) {
#ifdef __SSE2__
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
#pragma omp parallel num_threads(threads)
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
#else
  static_cast<void>(threads);
#endif
}

}  // namespace voxmark

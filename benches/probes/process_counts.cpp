#include "benches/probes/process_counts.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define VOXMARK_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VOXMARK_SANITIZED
#endif

#if defined(__GLIBC__) && !defined(VOXMARK_SANITIZED)

namespace {

// Set before any constructor runs: libraries allocate in theirs.
constinit std::atomic<std::uint64_t> allocations{0};
constinit std::atomic<std::uint64_t> allocated_bytes{0};
constinit std::atomic<std::uint64_t> thread_starts{0};

void count_allocation(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  allocated_bytes.fetch_add(bytes, std::memory_order_relaxed);
}

}  // namespace

// glibc's own, by the names that it keeps for this. free() stays its own: the blocks are.
extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* block, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

void* malloc(std::size_t bytes) noexcept {
  count_allocation(bytes);
  return __libc_malloc(bytes);
}

void* calloc(std::size_t count, std::size_t bytes) noexcept {
  count_allocation(count * bytes);
  return __libc_calloc(count, bytes);
}

void* realloc(void* block, std::size_t bytes) noexcept {
  count_allocation(bytes);
  return __libc_realloc(block, bytes);
}

void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
  count_allocation(bytes);
  return __libc_memalign(alignment, bytes);
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
  count_allocation(bytes);
  return __libc_memalign(alignment, bytes);
}

int posix_memalign(void** block, std::size_t alignment, std::size_t bytes) noexcept {
  const bool is_power_of_two = alignment != 0 && (alignment & (alignment - 1)) == 0;
  if (!is_power_of_two || alignment % sizeof(void*) != 0) {
    return EINVAL;
  }
  const int earlier = errno;  // POSIX: errno is not set
  count_allocation(bytes);
  void* made = __libc_memalign(alignment, bytes);
  errno = earlier;
  if (made == nullptr) {
    return ENOMEM;
  }
  *block = made;
  return 0;
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                   void* argument) noexcept {
  static const auto next =
      reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  thread_starts.fetch_add(1, std::memory_order_relaxed);
  return next(thread, attributes, start, argument);
}
}

namespace voxmark {

CountsOrReason process_counts() {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  return ProcessCounts{allocations.load(kRelaxed), allocated_bytes.load(kRelaxed),
                       thread_starts.load(kRelaxed)};
}

}  // namespace voxmark

#else

namespace voxmark {

CountsOrReason process_counts() {
#ifdef VOXMARK_SANITIZED
  return "a sanitizer has replaced malloc";
#else
  return "the C library is not glibc";
#endif
}

}  // namespace voxmark

#endif

// Counts are of the whole process, so these tests are a program of their own.
#include "benches/probes/process_counts.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

namespace voxmark {
namespace {

constexpr std::size_t kBytes = 192;

class ProcessCountsTest : public testing::Test {
 protected:
  void SetUp() override {
    const CountsOrReason counts = process_counts();
    if (const auto* reason = std::get_if<std::string>(&counts)) {
      GTEST_SKIP() << *reason;
    }
  }

  // What `work` adds to the counts.
  template <class Work>
  static ProcessCounts added_by(Work work) {
    const ProcessCounts before = std::get<ProcessCounts>(process_counts());
    work();
    const ProcessCounts after = std::get<ProcessCounts>(process_counts());
    return {after.heap_allocations - before.heap_allocations,
            after.heap_allocated_bytes - before.heap_allocated_bytes,
            after.thread_starts - before.thread_starts};
  }
};

// Of the compiler's sight, or it leaves out what nobody reads.
void use(void* block) { asm volatile("" : : "r"(block) : "memory"); }

TEST_F(ProcessCountsTest, NothingCountsNothing) {
  const ProcessCounts added = added_by([] {});
  EXPECT_EQ(added.heap_allocations, 0U);
  EXPECT_EQ(added.heap_allocated_bytes, 0U);
  EXPECT_EQ(added.thread_starts, 0U);
}

TEST_F(ProcessCountsTest, EveryWayToAllocateIsCountedWithItsBytes) {
  const auto expect_one = [](const char* name, auto allocate) {
    void* block = nullptr;
    const ProcessCounts added = added_by([&] {
      block = allocate();
      use(block);
    });
    EXPECT_EQ(added.heap_allocations, 1U) << name;
    EXPECT_EQ(added.heap_allocated_bytes, kBytes) << name;
    EXPECT_NE(block, nullptr) << name;
    std::free(block);
  };
  expect_one("malloc", [] { return std::malloc(kBytes); });
  expect_one("calloc", [] { return std::calloc(kBytes / 8, 8); });
  expect_one("realloc", [] { return std::realloc(nullptr, kBytes); });
  expect_one("aligned_alloc", [] { return std::aligned_alloc(64, kBytes); });
  expect_one("posix_memalign", [] {
    void* block = nullptr;
    EXPECT_EQ(posix_memalign(&block, 64, kBytes), 0);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0U);
    return block;
  });
  const ProcessCounts vector = added_by([] { use(std::vector<char>(kBytes).data()); });
  EXPECT_EQ(vector.heap_allocations, 1U);
  EXPECT_EQ(vector.heap_allocated_bytes, kBytes);
}

TEST_F(ProcessCountsTest, ABadAlignmentIsRefused) {
  void* block = nullptr;
  EXPECT_EQ(posix_memalign(&block, 3, 8), EINVAL);
  EXPECT_EQ(block, nullptr);
}

TEST_F(ProcessCountsTest, ThreadsAreCounted) {
  const ProcessCounts added = added_by([] {
    std::thread([] {}).join();
    std::thread([] {}).join();
  });
  EXPECT_EQ(added.thread_starts, 2U);
}

// The library's calls are its own, not this program's.
TEST_F(ProcessCountsTest, ThreadsOfOpenMpsLibraryAreCounted) {
  int team = 0;
  const ProcessCounts first = added_by([&] {
#pragma omp parallel num_threads(3) reduction(+ : team)
    ++team;
  });
  EXPECT_EQ(first.thread_starts, static_cast<std::uint64_t>(team - 1));
  EXPECT_GT(first.heap_allocations, 0U) << "what a team needs";
  const ProcessCounts second = added_by([&] {
#pragma omp parallel num_threads(3) reduction(+ : team)
    ++team;
  });
  EXPECT_EQ(second.thread_starts, 0U);
}

}  // namespace
}  // namespace voxmark

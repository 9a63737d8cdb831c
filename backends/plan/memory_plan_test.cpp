#include "backends/plan/memory_plan.h"

#include <gtest/gtest.h>

#include <random>

namespace voxmark {
namespace {

bool overlap(const Buffer& a, std::int64_t a_at, const Buffer& b, std::int64_t b_at) {
  const bool in_time = a.first_step <= b.last_step && b.first_step <= a.last_step;
  return in_time && a_at < b_at + b.bytes && b_at < a_at + a.bytes;
}

TEST(MemoryPlan, BuffersThatNeverMeetShareTheirBytes) {
  const std::vector<Buffer> buffers = {{640, 0, 1}, {640, 2, 3}};
  EXPECT_EQ(place_buffers(buffers).arena_bytes, 640);
}

TEST(MemoryPlan, BuffersAliveAtTheSameStepDoNotOverlap) {
  const std::vector<Buffer> buffers = {{640, 0, 1}, {640, 1, 2}};  // step 1 has both
  EXPECT_EQ(place_buffers(buffers).arena_bytes, 1280);
}

TEST(MemoryPlan, PrefersTheSmallestGapThatFits) {
  // Two long-lived walls leave gaps of 1024 and 128 bytes at step 5; a 128-byte buffer takes the
  // smaller one.
  const std::vector<Buffer> buffers = {{4096, 0, 0}, {4000, 1, 9}, {1024, 1, 1}, {900, 1, 9},
                                       {128, 1, 1},  {100, 1, 9},  {80, 5, 5}};
  const Placement placement = place_buffers(buffers);
  const std::int64_t offset = placement.offsets[6];
  EXPECT_EQ(offset, placement.offsets[4]);
}

TEST(MemoryPlan, AlignsEveryOffset) {
  const std::vector<Buffer> buffers = {{1, 0, 9}, {63, 0, 9}, {65, 0, 9}};
  for (const std::int64_t offset : place_buffers(buffers).offsets) {
    EXPECT_EQ(offset % kBufferAlignment, 0);
  }
}

TEST(MemoryPlan, HoldsSizesPast32Bits) {
  const std::int64_t terabyte = std::int64_t{1} << 40;
  const std::vector<Buffer> buffers = {{terabyte, 0, 1}, {terabyte, 1, 2}};
  EXPECT_EQ(place_buffers(buffers).arena_bytes, 2 * terabyte);
}

TEST(MemoryPlan, RandomBuffersNeverOverlapAndStayNearThePeak) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::vector<Buffer> buffers;
    for (int i = 0; i < 60; ++i) {
      const int first = static_cast<int>(random() % 40);
      buffers.push_back({static_cast<std::int64_t>(1 + random() % 5000), first,
                         first + static_cast<int>(random() % 10)});
    }
    const Placement placement = place_buffers(buffers);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_LE(placement.offsets[i] + buffers[i].bytes, placement.arena_bytes);
      for (std::size_t j = 0; j < i; ++j) {
        EXPECT_FALSE(overlap(buffers[i], placement.offsets[i], buffers[j], placement.offsets[j]));
      }
    }
    EXPECT_GE(placement.arena_bytes, peak_bytes(buffers));
    EXPECT_LE(placement.arena_bytes, 2 * peak_bytes(buffers));
  }
}

}  // namespace
}  // namespace voxmark

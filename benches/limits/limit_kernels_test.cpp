#include "benches/limits/limit_kernels.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/testing/temporary_folder.h"
#include "benches/limits/machine_limits.h"

namespace voxmark {
namespace {

TEST(MultiplyAdd, UsesTheWidestVectorsOfThisCpu) {
  const std::string isa = multiply_add().isa;
  EXPECT_EQ(isa == "avx512", __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(isa == "sse2",
            __builtin_cpu_supports("avx2") == 0 || __builtin_cpu_supports("fma") == 0);
}

// Every sum of every lane tends to 1, so that their total is the number of multiply-adds.
TEST(MultiplyAdd, ComputesWhatItCounts) {
  const MultiplyAdd kernel = multiply_add();
  const auto count = static_cast<float>(kernel.flops_per_round / 2);
  EXPECT_NEAR(kernel.rounds(20000), count, 1e-3F * count);
  EXPECT_LT(kernel.rounds(1), 0.5F * count) << "it needs many rounds";
}

// A server with several last-level caches keeps as much in them as all together hold.
TEST(MachineLimits, CountEveryLastLevelCacheThatThreadsReach) {
  const TemporaryFolder folder;
  const auto add_cache = [&](int cpu, int index, const char* size, const char* sharing) {
    const std::string cache = fmt::format("{}/cpu{}/cache/index{}", folder.path(), cpu, index);
    std::filesystem::create_directories(cache);
    std::ofstream(cache + "/size") << size << "\n";
    std::ofstream(cache + "/shared_cpu_list") << sharing << "\n";
  };
  for (int cpu = 0; cpu < 8; ++cpu) {
    add_cache(cpu, 0, "1024K", std::to_string(cpu).c_str());
    add_cache(cpu, 1, "65536K", cpu < 4 ? "0-3" : "4-7");
  }
  EXPECT_EQ(last_level_cache_bytes(1, folder.path()), 64 << 20);
  EXPECT_EQ(last_level_cache_bytes(2, folder.path()), 128 << 20);
  EXPECT_EQ(last_level_cache_bytes(8, folder.path()), 128 << 20);
  EXPECT_EQ(last_level_cache_bytes(8, folder.path() + "/none"), 32 << 20) << "the least";
}

TEST(MachineLimits, TakeSmallerArraysWhereMemoryIsScarce) {
  EXPECT_EQ(triad_array_bytes(100, 1'000'000), 400);
  EXPECT_EQ(triad_array_bytes(100, 3200), 400);
  EXPECT_EQ(triad_array_bytes(100, 3199), 200);
}

TEST(LeastDisturbed, StopsAtTheFirstTryThatNothingDisturbed) {
  std::vector<TimedTry> tries = {{{2, 3}, {"steal"}}, {{1, 4}, {}}, {{0.5, 0.5}, {}}};
  std::size_t done = 0;
  const TimedTry kept = least_disturbed([&] { return tries.at(done++); });
  EXPECT_EQ(done, 2U);
  EXPECT_EQ(kept.seconds.best, 1);
  EXPECT_EQ(kept.seconds.median, 4);
  EXPECT_TRUE(kept.interference.empty());
}

TEST(LeastDisturbed, KeepsTheFastestOfThreeAndSaysWhatDisturbedIt) {
  std::vector<TimedTry> tries = {{{2, 3}, {"steal"}}, {{1, 4}, {"steal"}}, {{3, 3}, {"a hog"}}};
  std::size_t done = 0;
  const TimedTry kept = least_disturbed([&] { return tries.at(done++); });
  EXPECT_EQ(done, 3U);
  EXPECT_EQ(kept.seconds.best, 1);
  EXPECT_EQ(kept.interference, std::vector<std::string>{"a hog"});
}

}  // namespace
}  // namespace voxmark

#include "backends/plan/first_touch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace voxmark {
namespace {

constexpr std::int64_t kPage = 4096;
constexpr int kNobody = -1;

// The thread of each page; fails where a page has none or two, or a run is not one of whole pages.
std::vector<int> threads_of_pages(std::int64_t bytes, std::span<const Region> regions,
                                  int threads) {
  std::vector<int> owners(static_cast<std::size_t>((bytes + kPage - 1) / kPage), kNobody);
  const std::vector<std::vector<PageRun>> touched = first_touch(bytes, kPage, regions, threads);
  EXPECT_EQ(touched.size(), static_cast<std::size_t>(threads));
  for (std::size_t thread = 0; thread < touched.size(); ++thread) {
    for (const PageRun& run : touched[thread]) {
      EXPECT_LT(run.begin, run.end);
      EXPECT_EQ(run.begin % kPage, 0);
      EXPECT_TRUE(run.end % kPage == 0 || run.end == bytes) << run.end;
      for (std::int64_t page = run.begin / kPage; page * kPage < run.end; ++page) {
        int& owner = owners.at(static_cast<std::size_t>(page));
        EXPECT_EQ(owner, kNobody) << "page " << page;
        owner = static_cast<int>(thread);
      }
    }
  }
  EXPECT_EQ(std::ranges::count(owners, kNobody), 0);
  return owners;
}

TEST(FirstTouch, AnArenaWithoutRegionsIsDividedEqually) {
  EXPECT_EQ(threads_of_pages(8 * kPage, {}, 4), (std::vector<int>{0, 0, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(threads_of_pages(3 * kPage + 1, {}, 2), (std::vector<int>{0, 0, 1, 1}));
  EXPECT_EQ(threads_of_pages(1, {}, 3).size(), 1U);
}

TEST(FirstTouch, EveryTensorIsSharedByAllThreads) {
  const std::vector<Region> regions = {{0, 4 * kPage}, {4 * kPage, 8 * kPage}};
  EXPECT_EQ(threads_of_pages(12 * kPage, regions, 4),
            (std::vector<int>{0, 1, 2, 3, 0, 0, 1, 1, 2, 2, 3, 3}));
}

TEST(FirstTouch, TheLargestOfTheTensorsInOnePlaceDecides) {
  // The small one lies where the second half of the large one does at another time.
  const std::vector<Region> regions = {{4 * kPage, 4 * kPage}, {0, 8 * kPage}};
  EXPECT_EQ(threads_of_pages(8 * kPage, regions, 2), (std::vector<int>{0, 0, 0, 0, 1, 1, 1, 1}));
}

TEST(FirstTouch, WhatLiesBesideTheTensorsIsSharedToo) {
  const std::vector<Region> regions = {{0, 2 * kPage}};
  EXPECT_EQ(threads_of_pages(6 * kPage, regions, 2), (std::vector<int>{0, 1, 0, 1, 1, 1}));
}

TEST(FirstTouch, AnyRegionsCoverEveryPageOnce) {
  constexpr unsigned kSeed = 5;
  std::mt19937 random(kSeed);
  for (int i = 0; i < 200; ++i) {
    const std::int64_t bytes = 1 + static_cast<std::int64_t>(random() % (64 * kPage));
    const int threads = 1 + static_cast<int>(random() % 7);
    std::vector<Region> regions(random() % 9);
    for (Region& region : regions) {
      region.begin = static_cast<std::int64_t>(random()) % bytes;
      region.bytes = static_cast<std::int64_t>(random()) % (bytes - region.begin + 1);
    }
    threads_of_pages(bytes, regions, threads);
    ASSERT_FALSE(HasFailure()) << "seed " << kSeed << ", case " << i;
  }
}

}  // namespace
}  // namespace voxmark

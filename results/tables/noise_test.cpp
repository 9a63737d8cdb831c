#include "results/tables/noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace voxmark {
namespace {

// Box and Muller: the same everywhere, unlike std::normal_distribution.
double normal(std::mt19937_64& random) {
  const double u = (static_cast<double>(random() >> 11U) + 0.5) * 0x1p-53;
  const double v = static_cast<double>(random() >> 11U) * 0x1p-53;
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
}

std::vector<std::vector<double>> processes(int count, double between, double within) {
  std::mt19937_64 random(20240531);
  std::vector<std::vector<double>> all;
  for (int i = 0; i < count; ++i) {
    const double own = std::exp(between * normal(random));
    all.emplace_back();
    for (int step = 0; step < 9; ++step) {
      all.back().push_back(own * std::exp(within * normal(random)));
    }
  }
  return all;
}

TEST(Noise, IsToldApartWithinAndBetweenProcesses) {
  const NoiseFigures figures = noise_figures(processes(200, 0.02, 0.01), 1);
  // A process's median still carries some of its steps' noise: 0.01 * 1.25 / 3.
  EXPECT_NEAR(figures.between_processes, std::hypot(0.02, 0.01 * 1.25 / 3), 0.002);
  EXPECT_NEAR(figures.within_processes, 0.01, 0.001);
  // The difference of two medians of 100: 1.96 * 0.02 * 1.25 * sqrt(2 / 100).
  EXPECT_NEAR(figures.noise_floor, 1.96 * 0.0205 * 1.2533 * std::sqrt(0.02), 0.002);
}

TEST(Noise, OfProcessesThatAreAllTheSameIsZero) {
  const NoiseFigures figures = noise_figures({{1, 1}, {1, 1}, {1, 1}, {1, 1}}, 1);
  EXPECT_EQ(figures.between_processes, 0);
  EXPECT_EQ(figures.noise_floor, 0);
}

TEST(MinimumDetectableEffect, NeedsFiveProcessesPerSide) {
  EXPECT_FALSE(minimum_detectable_effect(0.001, 3)) << "3 against 3 never reach p < 0.05";
  EXPECT_FALSE(minimum_detectable_effect(0.001, 4));
  EXPECT_TRUE(minimum_detectable_effect(0.001, 5));
}

TEST(MinimumDetectableEffect, OfTenProcessesWithTwoPercentIsBelowFivePercent) {
  EXPECT_LT(*minimum_detectable_effect(0.02, 10), 0.05);
  EXPECT_GT(*minimum_detectable_effect(0.02, 10), 0.035);
  EXPECT_GT(*minimum_detectable_effect(0.02, 5), *minimum_detectable_effect(0.02, 10));
}

// The formula against the test itself: ranks of simulated processes.
TEST(MinimumDetectableEffect, IsFoundAsOftenAsItSays) {
  constexpr int kPerSide = 10;
  constexpr int kTrials = 2000;
  constexpr int kCritical = 19;  // U of 10 against 10, one-sided 1% (tables of Mann and Whitney)
  constexpr double kBetween = 0.02;
  const double effect = *minimum_detectable_effect(kBetween, kPerSide);
  std::mt19937_64 random(7);
  int found = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    int slower_first = 0;  // pairs in which the slowed one is the faster
    std::vector<double> plain(kPerSide), slowed(kPerSide);
    std::ranges::generate(plain, [&] { return kBetween * normal(random); });
    std::ranges::generate(slowed, [&] { return std::log1p(effect) + kBetween * normal(random); });
    for (const double one : plain) {
      for (const double other : slowed) {
        slower_first += other < one ? 1 : 0;
      }
    }
    found += slower_first <= kCritical ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(found) / kTrials, 0.95, 0.015);
}

// As many as voxmark compare needs: 1 / (2n over n) below 0.01 over the number of tests.
TEST(LeastProcesses, GrowWithTheNumberOfTests) {
  EXPECT_EQ(least_processes_to_compare(1), 5);   // 1 / 252
  EXPECT_EQ(least_processes_to_compare(2), 5);   // 2 / 252
  EXPECT_EQ(least_processes_to_compare(3), 6);   // 3 / 252 is above 0.01
  EXPECT_EQ(least_processes_to_compare(12), 7);  // 12 / 3432, where 12 / 924 is above 0.01
  EXPECT_EQ(least_processes_to_compare(1000), 10);
}

}  // namespace
}  // namespace voxmark

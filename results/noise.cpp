#include "results/noise.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "results/summary.h"

namespace voxmark {
namespace {

double standard_deviation(const std::vector<double>& values) {
  if (values.size() < 2) {
    return 0;
  }
  double mean = 0;
  for (const double value : values) {
    mean += value / static_cast<double>(values.size());
  }
  double sum = 0;
  for (const double value : values) {
    sum += (value - mean) * (value - mean);
  }
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

std::vector<double> logarithms(std::vector<double> values) {
  for (double& value : values) {
    value = std::log(value);
  }
  return values;
}

}  // namespace

NoiseFigures noise_figures(const std::vector<std::vector<double>>& processes, std::uint64_t seed) {
  std::vector<double> medians;
  std::vector<double> within;
  for (const std::vector<double>& steps : processes) {
    medians.push_back(spread_of(steps).median);
    within.push_back(standard_deviation(logarithms(steps)));
  }
  NoiseFigures figures;
  figures.between_processes = standard_deviation(logarithms(medians));
  figures.within_processes = spread_of(within).median;

  constexpr int kSplits = 2000;
  std::mt19937_64 random(seed);
  std::vector<double> differences;
  const auto half = static_cast<std::ptrdiff_t>(medians.size() / 2);
  for (int split = 0; split < kSplits; ++split) {
    for (std::size_t i = medians.size(); i > 1; --i) {
      std::swap(medians[i - 1], medians[random() % i]);
    }
    const double left = spread_of({medians.begin(), medians.begin() + half}).median;
    const double right = spread_of({medians.begin() + half, medians.begin() + 2 * half}).median;
    differences.push_back(std::abs(std::log(left / right)));
  }
  std::ranges::sort(differences);
  figures.noise_floor = std::expm1(differences[differences.size() * 95 / 100]);
  return figures;
}

std::optional<double> minimum_detectable_effect(double between_processes, int processes_per_side) {
  constexpr double kAlpha = 0.01;
  constexpr double kQuantiles = 2.3263 + 1.6449;  // of the normal: 1 - alpha, and the power
  // Ranks instead of means cost this much of the sample (the asymptotic efficiency is 3 / pi).
  constexpr double kRankEfficiency = 0.9549;
  // Of all ways to deal the ranks out, one is the most extreme.
  double ways = 1;
  for (int i = 1; i <= processes_per_side; ++i) {
    ways *= static_cast<double>(processes_per_side + i) / i;
  }
  if (1 / ways > kAlpha) {
    return std::nullopt;
  }
  return std::expm1(kQuantiles * between_processes *
                    std::sqrt(2 / (kRankEfficiency * processes_per_side)));
}

}  // namespace voxmark

#include "results/tables/noise.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "base/json.h"
#include "results/tables/summary.h"

namespace voxmark {
namespace {

constexpr double kAlpha = 0.01;  // of voxmark compare, too

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

// In standard deviations; nothing where a test of so many processes can find no shift, or where the
// table ends.
std::optional<double> shift_found(int processes_per_side) {
  static const Json shifts =
      parse_json(detectable_shifts_text(), "detectable_shifts.json").at("shifts");
  const auto row = std::ranges::find_if(
      shifts, [&](const Json& own) { return own.at("processes_per_side") == processes_per_side; });
  return row == shifts.end() ? std::nullopt : std::optional(row->at("shift").get<double>());
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

int least_processes_to_compare(std::int64_t tests) {
  // n against n can be dealt out in (2n over n) ways, of which one is the most extreme.
  double ways = 1;
  int processes = 0;
  while (static_cast<double>(tests) / ways >= kAlpha) {
    ++processes;
    ways *= 2.0 * (2.0 * processes - 1) / processes;
  }
  return processes;
}

std::optional<double> minimum_detectable_effect(double between_processes, int processes_per_side) {
  const std::optional<double> shift = shift_found(processes_per_side);
  return shift ? std::optional(std::expm1(*shift * between_processes)) : std::nullopt;
}

}  // namespace voxmark

#include "results/tables/noise.h"

#include <algorithm>
#include <cmath>
#include <random>

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

// The largest U of Mann and Whitney, n against n, that chance alone stays at or below in at most 1%
// of cases; nothing where even U = 0 is more likely. By counting all ways to deal the ranks out.
std::optional<int> critical_u(int n) {
  const auto side = static_cast<std::size_t>(n);
  const std::size_t most = side * side;
  // ways[j][u]: j values of the first side, among those placed so far, with that U.
  std::vector<std::vector<double>> ways(side + 1, std::vector<double>(most + 1, 0.0));
  ways[0][0] = 1;
  for (int placed = 1; placed <= 2 * n; ++placed) {
    for (int j = std::min(placed, n); j >= 1; --j) {
      // The value placed now is of the first side, above placed - j of the other.
      const int gain = placed - j;
      if (gain > n) {
        continue;
      }
      auto& into = ways[static_cast<std::size_t>(j)];
      const auto& from = ways[static_cast<std::size_t>(j) - 1];
      for (std::size_t u = most; u + 1 > static_cast<std::size_t>(gain); --u) {
        into[u] += from[u - static_cast<std::size_t>(gain)];
      }
    }
  }
  const std::vector<double>& counts = ways.back();
  double total = 0;
  for (const double count : counts) {
    total += count;
  }
  double below = 0;
  int critical = -1;
  for (const double count : counts) {
    below += count;
    if (below > kAlpha * total) {
      break;
    }
    ++critical;
  }
  return critical < 0 ? std::nullopt : std::optional(critical);
}

// Box and Muller on std::mt19937_64: the same everywhere, unlike std::normal_distribution.
double normal(std::mt19937_64& random) {
  constexpr double kPi = 3.14159265358979323846;
  const double u = (static_cast<double>(random() >> 11U) + 0.5) * 0x1p-53;
  const double v = static_cast<double>(random() >> 11U) * 0x1p-53;
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * kPi * v);
}

// Rank tests of samples whose processes differ by one, simulated once for every shift asked for.
class SimulatedTests {
 public:
  SimulatedTests(int per_side, int critical) {
    constexpr int kTrials = 4000;
    std::mt19937_64 random(1);
    const auto n = static_cast<std::size_t>(per_side);
    for (int trial = 0; trial < kTrials; ++trial) {
      std::vector<double> differences;  // of every pair
      std::vector<double> first(n);
      std::ranges::generate(first, [&] { return normal(random); });
      for (std::size_t i = 0; i < n; ++i) {
        const double second = normal(random);
        for (const double one : first) {
          differences.push_back(one - second);
        }
      }
      // Shifted by d, U is the number of differences above d: at most `critical` from the one on
      // that has so many above it.
      const auto least = differences.end() - 1 - critical;
      std::ranges::nth_element(differences, least);
      least_shifts_.push_back(*least);
    }
    std::ranges::sort(least_shifts_);
  }

  // How often a shift, in standard deviations, is found.
  double power(double shift) const {
    const auto found = std::ranges::upper_bound(least_shifts_, shift) - least_shifts_.begin();
    return static_cast<double>(found) / static_cast<double>(least_shifts_.size());
  }

 private:
  std::vector<double> least_shifts_;  // per trial, the least shift that is found
};

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
  const auto critical = critical_u(processes_per_side);
  if (!critical) {
    return std::nullopt;
  }
  constexpr double kPower = 0.95;
  const SimulatedTests tests(processes_per_side, *critical);
  double low = 0;
  double high = 64;  // standard deviations: found by any sample
  for (int i = 0; i < 24; ++i) {
    const double middle = (low + high) / 2;
    (tests.power(middle) < kPower ? low : high) = middle;
  }
  return std::expm1(high * between_processes);
}

}  // namespace voxmark

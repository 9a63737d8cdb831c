#include "results/claims/memory_line.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace voxmark {
namespace {

// Student's t, two-sided 95%, by degrees of freedom from 1.
double student_t(int degrees) {
  constexpr std::array<double, 10> kTable = {12.706, 4.303, 3.182, 2.776, 2.571,
                                             2.447,  2.365, 2.306, 2.262, 2.228};
  constexpr double kNormal = 1.96;
  return degrees <= 10 ? kTable.at(static_cast<std::size_t>(degrees - 1)) : kNormal * 1.1;
}

Interval at_least(double least, double middle, double margin) {
  return {std::max(least, middle), std::max(least, middle - margin),
          std::max(least, middle + margin)};
}

}  // namespace

Interval MemoryLine::slope() const {
  const double margin = has_interval() ? error_bytes / std::sqrt(voxel_squares) : 0;
  return at_least(0, bytes_per_voxel, margin);
}

Interval MemoryLine::bytes_at(double voxels) const {
  const double middle = base_bytes + bytes_per_voxel * voxels;
  const double away = voxels - mean_voxels;
  const double margin =
      has_interval() ? error_bytes * std::sqrt(1.0 / sizes + away * away / voxel_squares) : 0;
  return at_least(voxels >= most_voxels ? most_bytes : 0, middle, margin);
}

double MemoryLine::growing_share() const {
  return std::clamp(slope().middle * most_voxels / most_bytes, 0.0, 1.0);
}

MemoryLine fit_line(std::span<const double> voxels, std::span<const double> bytes) {
  const auto n = static_cast<double>(voxels.size());
  MemoryLine line;
  line.sizes = static_cast<int>(voxels.size());
  line.mean_voxels = std::accumulate(voxels.begin(), voxels.end(), 0.0) / n;
  const double mean_bytes = std::accumulate(bytes.begin(), bytes.end(), 0.0) / n;
  double products = 0;
  for (std::size_t i = 0; i < voxels.size(); ++i) {
    const double away = voxels[i] - line.mean_voxels;
    line.voxel_squares += away * away;
    products += away * (bytes[i] - mean_bytes);
  }
  line.bytes_per_voxel = products / line.voxel_squares;
  line.base_bytes = mean_bytes - line.bytes_per_voxel * line.mean_voxels;
  double residuals = 0;
  for (std::size_t i = 0; i < voxels.size(); ++i) {
    const double residual = bytes[i] - line.base_bytes - line.bytes_per_voxel * voxels[i];
    residuals += residual * residual;
  }
  const auto most = std::ranges::max_element(voxels) - voxels.begin();
  line.most_voxels = voxels[static_cast<std::size_t>(most)];
  line.most_bytes = bytes[static_cast<std::size_t>(most)];
  const int degrees = line.sizes - 2;
  line.error_bytes = degrees > 0 ? student_t(degrees) * std::sqrt(residuals / degrees) : 0.0;
  return line;
}

const MemoryLine* line_of(std::span<const MemoryLine> lines, const std::string& backend,
                          std::string_view precision) {
  const auto found = std::ranges::find_if(lines, [&](const MemoryLine& line) {
    return line.backend == backend && line.precision == precision;
  });
  return found == lines.end() ? nullptr : &*found;
}

std::vector<MemoryLine> memory_lines(const Report& report) {
  // Two shapes of as many voxels are one size: the larger peak.
  std::vector<std::pair<std::string, std::string>> order;  // backend, precision
  std::map<std::pair<std::string, std::string>, std::map<double, double>> peaks;
  for (const MeasuredCase& own : of_one_setting(papers_cases(report))) {
    const std::pair key(own.backend(), own.precision());
    for (const Record* record : own.measured()) {
      if (record->memory.peak_bytes && own.isa().empty() && !own.has_memory_limit()) {
        if (!peaks.contains(key)) {
          order.push_back(key);
        }
        double& bytes = peaks[key][own.voxels()];
        bytes = std::max(bytes, static_cast<double>(*record->memory.peak_bytes));
      }
    }
  }
  std::vector<MemoryLine> lines;
  for (const auto& key : order) {
    std::vector<double> voxels, bytes;
    for (const auto& [size, peak] : peaks.at(key)) {
      voxels.push_back(size);
      bytes.push_back(peak);
    }
    if (voxels.size() > 1) {
      lines.push_back(fit_line(voxels, bytes));
      lines.back().backend = key.first;
      lines.back().precision = key.second;
    }
  }
  return lines;
}

}  // namespace voxmark

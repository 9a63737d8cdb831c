// Bytes over voxels: what a backend takes at sizes that were not measured, and how sure that is.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "results/tables/measured_cases.h"

namespace voxmark {

// By least squares over the sizes measured.
struct MemoryLine {
  std::string backend, precision;
  int sizes = 0;
  double bytes_per_voxel = 0;  // of all images of a batch
  double base_bytes = 0;

  // With 95% confidence there is an interval from three sizes on; before, low == high == middle.
  bool has_interval() const { return sizes > 2; }
  Interval slope() const;
  // Of a batch of so many voxels. No larger batch takes less than the largest that was measured.
  Interval bytes_at(double voxels) const;
  // Of the peak at the largest size, what grows with the image.
  double growing_share() const;
  // Whether that is most of it: a line through smaller images tells of the program alone.
  bool is_told() const { return growing_share() >= 0.5; }

  double most_voxels = 0, most_bytes = 0;     // of the largest size
  double mean_voxels = 0, voxel_squares = 0;  // of the sizes; sum of squares around the mean
  double error_bytes = 0;                     // Student's t times the residuals' deviation
};

MemoryLine fit_line(std::span<const double> voxels, std::span<const double> bytes);

// Null where there is none.
const MemoryLine* line_of(std::span<const MemoryLine> lines, const std::string& backend,
                          std::string_view precision = "fp32");

// Of the backends that were measured at two sizes or more with what the CPU has, by their peaks:
// without memory limits, of synthetic images, on the largest number of threads.
std::vector<MemoryLine> memory_lines(const Report& report);

}  // namespace voxmark

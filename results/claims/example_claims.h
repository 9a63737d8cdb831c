// Reports for the tests of claims: what the paper's pair might have measured.
#pragma once

#include <cstdint>
#include <string>

#include "results/claims/claims.h"
#include "results/example_record.h"

namespace voxmark {

// A record of `backend` as one process left it.
inline Record measured(const std::string& backend, int process, double step_seconds,
                       std::int64_t extent = 64) {
  Record record = example_record(backend, process, step_seconds);
  record.spec["image"] = {extent, extent, extent};
  for (SampleRecord& sample : record.samples) {
    sample.readings = {{"user_seconds", 1.5 * step_seconds},
                       {"system_seconds", 0.1 * step_seconds},
                       {"minor_faults", 7}};
  }
  // 1000 bytes per voxel above a base of 1 GB.
  const double voxels = 2.0 * static_cast<double>(extent * extent * extent);
  record.memory.base_bytes = 1'000'000'000;
  record.memory.planned_bytes = static_cast<std::uint64_t>(1000 * voxels);
  record.memory.allocated_bytes = record.memory.planned_bytes;
  record.memory.peak_bytes = static_cast<std::uint64_t>(1e9 + 1000 * voxels);
  return record;
}

// Two processes of each of the paper's pair: `slow` and `fast` seconds, the second one `spread`
// times as long.
inline Report recorded(double slow, double fast, double spread = 1.01) {
  Report report = example_report();
  report.records = {
      measured("tensorflow-stock", 0, slow), measured("tensorflow-stock", 1, slow * spread),
      measured("tensorflow-onednn", 0, fast), measured("tensorflow-onednn", 1, fast * spread)};
  return report;
}

inline Evidence example_evidence() {
  return {{{"parameters", 5650801}, {"trainable_parameters", 5647857}, {"moving_statistics", 2944}},
          {},
          {}};
}

}  // namespace voxmark

// How long a case will take, from what its backend has taken so far: seconds per nominal FLOP; and
// how much memory, where the backend does not plan: a line over voxels.
// A guess, for budgets and for the time that is left; no figure of a report.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "workloads/cases/case_spec.h"

namespace voxmark {

class Prediction {
 public:
  // A step of this case took so long. The latest word counts.
  void learn(const CaseSpec& spec, double step_seconds);

  // So many seconds of a process were no steps: its start, its verification if it was the first.
  void learn_start(const CaseSpec& spec, double seconds);
  // Of this process, with its start; nothing while its backend is unknown.
  std::optional<double> process_seconds(const CaseSpec& spec) const;

  // A process of this case reached that high-water mark.
  void learn_peak(const CaseSpec& spec, std::int64_t peak_bytes);
  // By the smallest and the largest batch so far; nothing before there are two of different size.
  std::optional<std::int64_t> peak_bytes(const CaseSpec& spec) const;

  // Seconds of the case's warm-up and timed steps; nothing while its backend is unknown.
  std::optional<double> steps_seconds(const CaseSpec& spec) const;

  // The same, as if by the slowest backend so far where the case's own is unknown; nothing while
  // all are.
  std::optional<double> steps_seconds_at_most(const CaseSpec& spec) const;

 private:
  std::map<std::string, double> seconds_per_flop_;  // by backend, precision, threads and copies
  // The longest so far, by the same and whether it was a case's first process.
  std::map<std::string, double> start_seconds_;
  // By what decides bytes beside voxels: the high-water mark by voxels of the batch.
  std::map<std::string, std::map<std::int64_t, std::int64_t>> peaks_;
};

}  // namespace voxmark

// How long a case will take, from what its backend has taken so far: seconds per nominal FLOP.
// A guess, for budgets and for the time that is left; no figure of a report.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "benches/case_spec.h"

namespace voxmark {

class Prediction {
 public:
  // A step of this case took so long. The latest word counts.
  void learn(const CaseSpec& spec, double step_seconds);

  // Seconds of the case's warm-up and timed steps; nothing while its backend is unknown.
  std::optional<double> steps_seconds(const CaseSpec& spec) const;

  // The same, as if by the slowest backend so far where the case's own is unknown; nothing while
  // all are.
  std::optional<double> steps_seconds_at_most(const CaseSpec& spec) const;

 private:
  std::map<std::string, double> seconds_per_flop_;  // by backend, precision and threads
};

}  // namespace voxmark

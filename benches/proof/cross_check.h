// At the timed shape itself: the first step of every backend against that of another verified
// backend in the same sweep. Same inputs by hash, loss and gradient norms to tolerance. External
// programs are compared with ours, never ours with them.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "benches/exchange/exchange.h"
#include "workloads/cases/case_spec.h"
#include "workloads/network/rounding.h"

namespace voxmark {

struct CrossCheckResult {
  std::string against;  // "" : nothing to compare with yet
  std::optional<std::string> mismatch;
  std::string tensor;  // the worst: "loss", or a parameter whose gradient norm differs
  double error = 0;
  double tolerance = 0;
};

class CrossCheck {
 public:
  // Compares a verified backend's exchange with that of the first other backend that did the same
  // shape, data and seed, and keeps it for the next.
  CrossCheckResult check(const CaseSpec& spec, const Exchange& exchange);
  // Whether one of our backends has done the case's step.
  bool has_ours(const CaseSpec& spec) const;

 private:
  struct FirstStep {
    std::string backend;
    bool by_our_child = true;
    Rounding rounding = Rounding::fp32;
    std::string batch_sha256, weights_sha256;
    double loss = 0;
    std::map<std::string, double> gradient_norms;
    std::set<std::string> undecided;  // gradients that decide nothing
  };
  static CrossCheckResult compare(const FirstStep& expected, const FirstStep& found);

  // By case_key of what is computed; one per backend.
  std::map<std::string, std::vector<FirstStep>> first_steps_;
};

}  // namespace voxmark

// Verdicts on claims that are reckoned from a report, or from what lies beside it: a kind of claim
// each. For claims.cpp alone.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "results/claims/claims.h"
#include "results/claims/memory_line.h"
#include "results/tables/measured_cases.h"

namespace voxmark {

// What every finding of a claim begins with: not tested yet.
Finding start_finding(const Json& claim, const std::string& backend = "");

// Voxels of the claim's batch.
double voxels_of(const Json& claim);

// Why a backend has no line.
std::string no_line(const std::vector<MeasuredCase>& cases, const std::string& backend);

// training, metric: a run of `voxmark train`, where it is the paper's.
Finding judge_training(const Json& claim, const Json& training);
// tricks: whether the tricks that save memory end with a better Dice than full images.
Finding judge_tricks(const Json& claim, const Json& tricks);
// hours: of the paper's training, by this machine's seconds per image.
Finding judge_hours(const Json& claim, const std::string& backend,
                    const std::vector<MeasuredCase>& cases);
// settings: the framework's pools of threads while the pair was timed.
Finding judge_settings(const Json& claim, const std::string& backend,
                       const std::vector<MeasuredCase>& cases);
// share: of the memory that the claim's batch takes, what grows with the image.
Finding judge_share(const Json& claim, const std::string& backend,
                    const std::vector<MeasuredCase>& cases, std::span<const MemoryLine> lines,
                    const Json& model);
// times: one size of memory over others.
Finding judge_times(const Json& claim);
// untested: what no run of voxmark can tell, and why.
Finding judge_untested(const Json& claim);

}  // namespace voxmark

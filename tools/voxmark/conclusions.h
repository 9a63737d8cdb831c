// What a quickstart's measurements say, in three plain sentences. Pure: figures in, text out.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "results/tables/summary.h"
#include "tools/voxmark/largest_fit.h"
#include "workloads/images/read_options.h"

namespace voxmark {

// Eigen's tensor convolutions, which stock TensorFlow of the paper's time used, and the library
// that the paper put in their place.
constexpr const char* kPaperBaseline = "eigen-tensor";
constexpr const char* kPaperContender = "onednn-direct";
constexpr const char* kFastest = "onednn";

// The speed-up of the contender over the baseline with its spread beside the paper's, or why there
// is none; and that of the fastest backend where it was measured.
std::string speed_up_sentence(std::span<const CaseSummary> cases);

// The largest image and batch that fit into `room_bytes`, as `backend` plans them.
std::string largest_fit_sentence(const std::optional<Fit>& fit, const std::string& backend,
                                 std::int64_t room_bytes);

// What to measure next: both backends on the same data, at `image`. Folders are as the shell that
// the command is pasted into sees them.
std::string next_command_sentence(const std::string& program, const std::string& data,
                                  const Dims& image, const ReadOptions& reading = {});

}  // namespace voxmark

// How much of the moving statistics, which inference normalises with, is still their start.
#pragma once

#include <cstdint>
#include <string>

namespace voxmark {

// More than this share, and scores of inference tell how many steps there were.
inline constexpr double kMostOfTheStart = 0.01;

// After so many steps, each of which keeps the momentum's share.
double share_of_the_start(std::int64_t steps);

// The first step after which at most kMostOfTheStart is left.
std::int64_t steps_that_leave_the_start();

// What scores of validation and test are worth in a run of so many steps: where the run is too
// short, from which step on they would mean something; where its first epochs are, which. "" where
// all of them do.
std::string worth_of_scores(std::int64_t steps_per_epoch, std::int64_t epochs);

}  // namespace voxmark

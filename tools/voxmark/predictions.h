// What voxmark predict found, as text and as JSON.
#pragma once

#include <cstddef>

#include "base/json.h"

namespace voxmark {

// The parts of a data set, in the order in which they are told.
constexpr const char* kParts[] = {"training", "validation", "test"};

struct Predictions {
  Json results = Json::array();
  Json failures = Json::array();
};

// One of the results, in a line. `surface_tolerance`, here and below: that it was scored with.
void print_prediction(const Json& result, double surface_tolerance);

// The mean of all cases with a truth; before it, where asked for, that of each part.
void print_means(const Predictions& predictions, bool by_part, double surface_tolerance);

void print_predictions_json(const Predictions& predictions, bool by_part, double surface_tolerance);

// At the end: which of `cases` cases failed, and why.
void tell_failures(const Predictions& predictions, std::size_t cases);

}  // namespace voxmark

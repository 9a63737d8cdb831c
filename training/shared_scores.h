// Cases that ranks score side by side, so that each has the scores of all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "backends/collectives.h"
#include "training/prediction/predictor.h"
#include "training/trainer.h"

namespace voxmark {

// Of `count` cases, how many a rank gets: in round i, rank r gets case i * ranks + r, where there
// is one. Rank 0 gets the most.
std::size_t cases_of_rank(std::size_t count, int rank, int ranks);

// Surfaces take about a second per label of 240x240x155: too long to be scored after every epoch.
enum class Surfaces { no, yes };

// Predicts and scores the cases of a part with the predictor's weights, images read ahead, until a
// rank's observer asks to stop: in each round every rank one case. `visit` is told of all, in
// order, on all ranks; their `file` is empty. Returns the seconds that this rank waited for images.
double score_cases(const TrainingOptions& options, const SubjectSource& part, Surfaces surfaces,
                   Predictor& predictor, TrainingObserver& observer,
                   const std::function<void(const TestCase&)>& visit);

// Dims, spacing and scores of each rank's case, by rank, where it has one. Called by all ranks;
// `ranks`: null for a process that is alone.
std::vector<std::optional<TestCase>> cases_of_all(Collectives* ranks,
                                                  const std::optional<TestCase>& own);

// Of each rank's images, in the order of ranks: those of the whole batch.
std::vector<ClassSums> sums_of_all(Collectives* ranks, std::span<const ClassSums> own);

// The ranks in whose sums there is something that is no number.
std::vector<int> ranks_without_numbers(std::span<const ClassSums> sums, int ranks);

}  // namespace voxmark

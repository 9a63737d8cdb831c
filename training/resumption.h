// Where a run's folder lets it go on: the position of its last checkpoint, and whether the weights
// of its best epoch are there.
#pragma once

#include <functional>
#include <string>

#include "training/position.h"
#include "training/training_options.h"

namespace voxmark {

// What a process that was killed left of a checkpoint in the making.
void remove_unfinished(const std::string& checkpoint);

// Where a resumed run stands. Throws Error (bad_input) where its last checkpoint is missing, or of
// another run.
Position resumed_position(const TrainingOptions& options, const DataFacts& data,
                          const std::function<void(const std::string&)>& warn);

bool stopped_early(const TrainingOptions& options, const Position& position);
bool is_finished(const TrainingOptions& options, const Position& position);

// Whether best.safetensors is there, or not needed yet. False: the run was killed between its two
// checkpoints, and the best weights are those of the last. Throws Error (bad_input) where they are
// lost.
bool has_best(const TrainingOptions& options, const DataFacts& data, const Position& position);

}  // namespace voxmark

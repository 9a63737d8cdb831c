// Where a training run stands: its epochs so far, and how far it is in the one in work. All that a
// checkpoint keeps beside the tensors, so that a resumed run continues without a seam.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "training/host_memory.h"
#include "training/prediction/scores.h"

namespace voxmark {

struct EpochRecord {
  int epoch = 0;  // from 1
  std::int64_t images = 0;
  double seconds = 0;          // of training, waiting included; validation is apart
  double waiting_seconds = 0;  // of them, for batches
  double validation_seconds = 0;
  double validation_waiting_seconds = 0;  // of them, for images
  Scores training;                        // means over steps, before each update, padding included
  std::optional<Scores> validation;       // mean over whole images; nothing without such cases
  bool best = false;                      // so far
  std::vector<double> step_losses;        // each before its update
  // computing_json() of its processes, one after the other, with their binary's hash; none: unknown
  std::vector<Json> computed_by;

  double seconds_per_image() const { return seconds / static_cast<double>(images); }
  double waiting_share() const { return waiting_seconds / seconds; }
};

Json to_json(const EpochRecord& record);

// Measured on one step and one validation case.
struct Forecast {
  double step_seconds = 0;   // 0: nothing was measured
  double epoch_seconds = 0;  // validation included
  double test_seconds = 0;
  double total_seconds = 0;
  std::int64_t planned_bytes = 0;
  TrainingMemory memory{};  // the parts of it; of this process, not kept
};

// Null where nothing was measured.
Json to_json(const Forecast& forecast);

struct Position {
  int epoch = 0;          // in work, from 0
  std::int64_t step = 0;  // of it: the next one
  ScoreMean scores;       // of its steps so far
  std::vector<double> step_losses;
  double seconds = 0;  // and their times
  double waiting_seconds = 0;
  std::vector<Json> computed_by;    // as in EpochRecord
  std::vector<EpochRecord> epochs;  // finished
  double best_loss = std::numeric_limits<double>::infinity();
  int best_epoch = 0;             // from 1; 0: none yet
  std::int64_t memory_bytes = 0;  // that the run had: what did not fit was predicted in tiles
  std::int64_t peak_bytes = 0;    // the highest of its processes; 0: unknown
  Forecast forecast;              // the first, of all epochs and the test
};

Json to_json(const Position& position);
// Throws Error (bad_input) naming `name`.
Position position_from_json(const Json& json, const std::string& name);

}  // namespace voxmark

// Training from the first step to the score of the test split: epochs, validation, checkpoints.
// Knows nothing of command lines and reports.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "training/scores.h"
#include "workloads/batch_source.h"
#include "workloads/network.h"

namespace voxmark {

struct TrainingOptions {
  const Backend* backend = nullptr;
  Precision precision = Precision::fp32;
  int threads = 1;
  std::int64_t memory_bytes = 0;  // that all plans together may take

  Dims image{64, 64, 64};  // of the windows that are trained on
  std::int64_t batch = 1;
  UnetOptions network;
  std::uint64_t seed = 1;
  bool augment = true;
  bool tile = false;            // windows anywhere in the image; predictions are blended
  std::int64_t downsample = 1;  // of images, before windows are cut

  int epochs = 1;
  std::int64_t steps_per_epoch = 0;  // 0: as many as see every training case once
  int patience = 0;                  // epochs without a better validation loss; 0: never stops
  std::string folder;                // for checkpoints; must exist
  double checkpoint_seconds = 600;   // between those within an epoch
  int readers = 2;                   // threads that make batches
};

struct EpochRecord {
  int epoch = 0;  // from 1
  std::int64_t images = 0;
  double seconds = 0;          // of training, waiting included; validation is apart
  double waiting_seconds = 0;  // of them, for batches
  double validation_seconds = 0;
  Scores training;                   // means over steps, before each update, padding included
  std::optional<Scores> validation;  // mean over whole images; nothing without validation cases
  bool best = false;                 // so far

  double seconds_per_image() const { return seconds / static_cast<double>(images); }
  double waiting_share() const { return waiting_seconds / seconds; }
};

struct TestCase {
  std::string name;
  Dims dims;
  Scores scores;
};

// Before the first epoch: measured on one step and one validation case.
struct Forecast {
  double step_seconds = 0;
  double epoch_seconds = 0;  // validation included
  double total_seconds = 0;  // of what is left, the test included
  std::int64_t planned_bytes = 0;
};

enum class TrainingEnd { done, early_stop, interrupted, diverged };
std::string_view to_string(TrainingEnd end);

struct TrainingResult {
  TrainingEnd end = TrainingEnd::done;
  std::vector<EpochRecord> epochs;  // those before a resumption too
  int best_epoch = 0;
  std::vector<TestCase> test;  // scored with the best epoch's weights
  Forecast forecast;
  bool prediction_tiled = false;  // whole volumes did not fit into the memory
};

// Told what happens. Default: nobody listens.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  virtual void forecast(const Forecast& /*forecast*/) {}
  virtual void step(int /*epoch*/, std::int64_t /*step*/, std::int64_t /*steps*/, double /*loss*/,
                    double /*seconds_left*/) {}
  // The epoch is done, and its checkpoint on the disk.
  virtual void epoch(const TrainingResult& /*so_far*/, double /*seconds_left*/) {}
  virtual void tested(const TestCase& /*scored*/, std::size_t /*number*/, std::size_t /*count*/) {}
  // Asked between steps: whether to stop, with a checkpoint.
  virtual bool stop() { return false; }
};

// Checkpoints of a run's folder.
std::string last_checkpoint(const std::string& folder);
std::string best_checkpoint(const std::string& folder);

// Steps of an epoch: options.steps_per_epoch, or as many as see every training case once; the last
// batch is then filled up with cases that are seen twice.
std::int64_t steps_per_epoch(const TrainingOptions& options, const SubjectParts& parts);

// Trains. `resume`: from the folder's last checkpoint, to the same losses bit by bit as without the
// interruption when backend, precision and threads are the same. Throws Error: bad_input when the
// data or a checkpoint does not fit the options, cannot_here when the memory does not suffice or
// the backend cannot, internal when a checkpoint cannot be written (the one before it stays).
TrainingResult train(const TrainingOptions& options, const SubjectParts& parts, bool resume,
                     TrainingObserver& observer);

// What a checkpoint keeps of the options that decide the result; keys as on the command line.
Json to_json(const TrainingOptions& options);
// The options that a checkpoint was made with: the network, dims, scaling, tiles. Backend, threads
// and memory are the caller's. Throws Error (bad_input) naming `name`.
TrainingOptions options_from_checkpoint(const Json& state, const std::string& name);

Json to_json(const EpochRecord& record);

struct PredictorOptions;
// How volumes are predicted with a model that was trained so.
PredictorOptions predictor_options(const TrainingOptions& options, std::int64_t memory_bytes);

}  // namespace voxmark

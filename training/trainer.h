// Training from the first step to the score of the test split: epochs, validation, checkpoints.
// Knows nothing of command lines and reports.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "training/position.h"
#include "training/prediction/scores.h"
#include "training/training_options.h"

namespace voxmark {

struct TestCase {
  std::string name;  // SubjectSource::case_name()
  std::string file;  // case_files(): what `voxmark predict` calls its files
  Dims dims;
  Scores scores;
  Spacing spacing{};  // of its voxels
};

enum class TrainingEnd { done, early_stop, interrupted, diverged };
std::string_view to_string(TrainingEnd end);

struct TrainingResult {
  TrainingEnd end = TrainingEnd::done;
  std::int64_t steps_per_epoch = 0;
  std::vector<EpochRecord> epochs;  // those before a resumption too
  int best_epoch = 0;
  std::vector<TestCase> test;     // all of them, scored with the best epoch's weights; or none
  Forecast forecast;              // the first, of all epochs and the test
  std::int64_t peak_bytes = 0;    // the highest of the run's processes; 0: unknown
  bool prediction_tiled = false;  // whole volumes did not fit into the memory
};

// Told what happens, on each rank at the same points: only there may observers of several ranks
// meet. Default: nobody listens.
class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  // Something that a person should know, in one line.
  virtual void warning(const std::string& /*text*/) {}
  // Around the computation of a step that counts, of `seconds`: between the two this rank tells
  // others nothing but what the step itself exchanges.
  virtual void step_begins() {}
  virtual void step_ran(double /*seconds*/) {}
  // Before this process's first step; total_seconds: of what is left.
  virtual void forecast(const Forecast& /*forecast*/) {}
  virtual void step(int /*epoch*/, std::int64_t /*step*/, std::int64_t /*steps*/, double /*loss*/,
                    double /*seconds_left*/) {}
  // The epoch is done, and its checkpoint on the disk.
  virtual void epoch(const TrainingResult& /*so_far*/, double /*seconds_left*/) {}
  virtual void tested(const TestCase& /*scored*/, std::size_t /*number*/, std::size_t /*count*/) {}
  // Asked between steps, and between cases that are scored: whether to stop, with a checkpoint.
  virtual bool stop() { return false; }
  // Asked for checkpoints and results: the high-water mark of this process; 0: unknown.
  virtual std::int64_t peak_bytes() { return 0; }
};

// Checkpoints of a run's folder.
std::string last_checkpoint(const std::string& folder);
std::string best_checkpoint(const std::string& folder);

// How many epochs the folder's run has made, where those are all that the options ask for and the
// weights of the best are there: nothing but the score of the test may be missing. Else 0. Throws
// Error (bad_input) as train() does when it resumes, before anything of the run's size is
// allocated.
int epochs_of_finished(const TrainingOptions& options, const SubjectParts& parts);

// Trains. `resume`: from the folder's last checkpoint, to the same losses bit by bit as without the
// interruption when backend, precision, threads and ranks are the same. Of several ranks, each
// calls it; rank 0 alone writes to the folder, and reads checkpoints. Throws Error (AgreedError
// where all ranks do): bad_input when the data or a checkpoint does not fit the options, or
// best.safetensors is not this run's best, cannot_here when the memory does not suffice or the
// backend cannot, internal when a checkpoint cannot be written (the one before it stays).
TrainingResult train(const TrainingOptions& options, const SubjectParts& parts, bool resume,
                     TrainingObserver& observer);

}  // namespace voxmark

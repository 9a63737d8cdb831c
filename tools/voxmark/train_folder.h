// The folder that voxmark train writes to: what a run leaves in it, whether a run goes on from it.
#pragma once

#include <string>

#include "tools/voxmark/train_flags.h"
#include "training/data.h"

namespace voxmark {

// A run's folder, made where there is none yet, for one process alone. Where a folder cannot be
// locked, as on some network file systems, the user has to see to that.
class TrainFolder {
 public:
  // Throws Error (bad_input) where it cannot be made, or another run has it.
  explicit TrainFolder(const std::string& path);
  ~TrainFolder();
  TrainFolder(const TrainFolder&) = delete;
  TrainFolder& operator=(const TrainFolder&) = delete;

 private:
  int descriptor_ = -1;
};

// The path of a file in --out.
std::string file_in(const TrainFlags& flags, const char* name);

// Removes what the run before left, for --overwrite.
void remove_run(const TrainFlags& flags);

// Whether to go on with a run: with --resume, or where the same preset was under way. Throws Error
// (bad_input) where a file of a run would be lost.
bool goes_on(const TrainFlags& flags);

// Throws Error (bad_input) when the checkpoint to go on from cannot be read.
void check_last_checkpoint(const TrainFlags& flags);

// Whether the run that is to be resumed has its last epoch, its test and its report.
bool has_ended(const TrainFlags& flags, const TrainingOptions& options, const SubjectParts& parts);

}  // namespace voxmark

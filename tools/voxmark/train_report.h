// The report of voxmark train, training.json, from what the run has come to.
#pragma once

#include "base/json.h"
#include "tools/voxmark/train_flags.h"
#include "training/data.h"

namespace voxmark {

// Everything but what changes while the run goes on.
Json report_frame(const TrainFlags& flags, const TrainingOptions& options,
                  const SubjectParts& parts);

// `end`: null while the run goes on. `surface_tolerance`: that the test was scored with.
Json report_of(const Json& frame, const TrainingResult& result, const Json& end,
               double surface_tolerance);

// Writes it to --out, and its figures as tables beside it.
void write_reports(const TrainFlags& flags, const Json& report);

}  // namespace voxmark

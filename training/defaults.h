// What training and prediction do with images where nobody said how, a line each: what a person
// should know before hours are spent.
#pragma once

#include <string>
#include <vector>

#include "training/training_options.h"

namespace voxmark {

// Which channels are read, that labels are merged, how windows are taken and scaled, that sizes of
// voxels count for nothing, and which cases are missing from the split.
std::vector<std::string> training_defaults(const TrainingOptions& options,
                                           const SubjectParts& parts);

// The same of a prediction by a model that was trained so. `channels` of an image, and their names
// where they are known; `classes` of its labels, 0: it has none; `from_files`: it was not drawn.
std::vector<std::string> prediction_defaults(const TrainingOptions& model, std::int64_t channels,
                                             const std::vector<std::string>& channel_names,
                                             std::int64_t classes, bool from_files);

}  // namespace voxmark

// Batches for training: a pure function of data, seed, epoch and step, so that a resumed or a
// parallel run sees the same data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "workloads/images/augment.h"
#include "workloads/images/nifti_header.h"
#include "workloads/images/preprocess.h"
#include "workloads/images/read_options.h"
#include "workloads/network/batch.h"

namespace voxmark {

// Subjects of a data set. They are read or drawn when asked for, not held.
struct SubjectSource {
  std::size_t count = 0;
  std::int64_t channels = 1;  // that an image has
  std::int64_t classes = 1;   // labels besides background
  // Reads the first `channels` channels of subject 0..count-1.
  std::function<Subject(std::size_t subject, std::int64_t channels)> load;
  // Name, dims and channels of a subject, without its voxels: of a file only the header is read.
  std::function<Subject(std::size_t subject)> outline;
  std::function<Affine(std::size_t subject)> affine{};  // of its grid
  Dims dims{};                                          // of one of them: others may differ
  // What a case is called wherever it is told from others: the path of its image in the data set's
  // folder, as written there, or "phantom 3". Reads nothing.
  std::function<std::string(std::size_t subject)> case_name{};
  std::vector<std::string> channel_names{};  // none: not known
};

// What a data set is, so that a run does not go on with another one.
struct DataFacts {
  std::string kind;      // "phantom", or the layout of its description, as in DataSet
  std::string name;      // as dataset.json has it
  std::string identity;  // the same wherever the folder lies; another for other files and splits
  std::vector<std::string> labels{};  // by value, background first; empty: not known
  std::vector<std::string> notes{};   // how it was read where there was a choice, a line each
};

// A data set split for training, as its description says, else by the seed, in the proportions of
// split_cases(). Validation and test may be empty.
struct SubjectParts {
  DataFacts facts;
  SubjectSource training;
  SubjectSource validation;
  SubjectSource test;
};
// Throws Error (bad_input) as read_data_set() does.
SubjectParts data_set_parts(const std::string& path, std::uint64_t seed,
                            const ReadOptions& reading = {});
// `count` subjects of phantom.h, drawn at `dims`: those that write_phantom_dataset() would write.
// The seed draws them, and splits them.
SubjectParts phantom_parts(std::size_t count, const Dims& dims, std::uint64_t seed);

// Four subjects of phantom.h, drawn at `dims`: what write_phantom_dataset() would write.
SubjectSource phantom_subjects(const Dims& dims, std::uint64_t seed);

// The training part of a data set, split by `seed`. Throws Error (bad_input).
SubjectSource data_set_subjects(const std::string& path, std::uint64_t seed,
                                const ReadOptions& reading = {});

// The subject at `position` of an epoch's endless sequence, which passes over all `count` subjects
// again and again, each time in another order.
std::size_t subject_at(std::size_t count, std::uint64_t seed, std::uint64_t epoch,
                       std::uint64_t position);

// Throws Error (bad_input) when the source has fewer channels than the shape asks for, or another
// number of classes, or when there are no images.
void check_source(const SubjectSource& source, const SampleShape& shape, std::int64_t images);

// Batch `step` of `epoch`: every subject once, in an order of the epoch's own, then again in
// another order. Crops lie in the middle. Throws Error (bad_input) when the source has fewer
// channels or another number of classes than asked for, when a subject cannot be read, or when it
// is smaller than the crop. It begins `first` images later than batch `step` does.
Batch make_batch(const SubjectSource& source, const SampleShape& shape, std::int64_t images,
                 std::uint64_t seed, std::uint64_t epoch, std::uint64_t step,
                 std::int64_t first = 0);

// Throws Error (bad_input) as make_batch() of the first step would, and returns the subjects'
// warnings, as far as outlines tell.
std::vector<std::string> check_first_batch(const SubjectSource& source, const SampleShape& shape,
                                           std::int64_t images, std::uint64_t seed);

// How a subject becomes what is trained on.
struct TrainingRecipe {
  SampleShape shape;
  bool augment = true;          // offset, flips and quarter turns; else the middle, as it is
  std::int64_t downsample = 1;  // edge of the boxes of voxels that become one, before all else
  // near_middle: each window is scaled by its own voxels, as model.md has it. anywhere: tiles of a
  // whole image, which is scaled once.
  WindowPlace place = WindowPlace::near_middle;
};

// One sample: a pure function of subject, recipe, seed, epoch and position. Subjects smaller than
// the window are padded by their edge voxels, and scaled without the padding.
Sample training_sample(const Subject& subject, const TrainingRecipe& recipe, std::uint64_t seed,
                       std::uint64_t epoch, std::uint64_t position);

// Batch `step` of `epoch`, as make_batch() orders them. Throws Error (bad_input) as it does, but
// for subjects smaller than the window.
Batch training_batch(const SubjectSource& source, const TrainingRecipe& recipe, std::int64_t images,
                     std::uint64_t seed, std::uint64_t epoch, std::uint64_t step);

}  // namespace voxmark

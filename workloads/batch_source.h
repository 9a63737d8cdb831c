// Batches for training: a pure function of data, seed, epoch and step, so that a resumed or a
// parallel run sees the same data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "workloads/batch.h"
#include "workloads/preprocess.h"

namespace voxmark {

// The training subjects of a data set. They are read or drawn when asked for, not held.
struct SubjectSource {
  std::size_t count = 0;
  std::int64_t channels = 1;  // that an image has
  std::int64_t classes = 1;   // labels besides background
  // Reads the first `channels` channels of subject 0..count-1.
  std::function<Subject(std::size_t subject, std::int64_t channels)> load;
};

// Four subjects of phantom.h, drawn at `dims`: what write_phantom_dataset() would write.
SubjectSource phantom_subjects(const Dims& dims, std::uint64_t seed);

// The training part of a Decathlon folder, split by `seed`. Throws Error (bad_input).
SubjectSource decathlon_subjects(const std::string& folder, std::uint64_t seed);

// Batch `step` of `epoch`: every subject once, in an order of the epoch's own, then again in
// another order. Crops lie in the middle. Throws Error (bad_input) when the source has fewer
// channels or another number of classes than asked for, when a subject cannot be read, or when it
// is smaller than the crop.
Batch make_batch(const SubjectSource& source, const SampleShape& shape, std::int64_t images,
                 std::uint64_t seed, std::uint64_t epoch, std::uint64_t step);

}  // namespace voxmark

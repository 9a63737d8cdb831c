#include "workloads/batch_source.h"

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "workloads/decathlon.h"
#include "workloads/phantom.h"
#include "workloads/shuffle.h"

namespace voxmark {
namespace {

constexpr std::uint64_t kOrderStreams = 2ULL << 56U;  // apart from every tensor's stream

// The subject at `position` of an endless sequence that passes over all of them again and again.
std::size_t subject_at(std::size_t count, std::uint64_t seed, std::uint64_t epoch,
                       std::uint64_t position) {
  const std::uint64_t pass = position / count;
  return shuffled(count, seed, kOrderStreams + (epoch << 24U) + pass)[position % count];
}

void check(const SubjectSource& source, const SampleShape& shape, std::int64_t images) {
  if (images < 1) throw_bad_input("data: batch of {}, expected at least 1", images);
  if (shape.input_channels < 1 || shape.input_channels > source.channels) {
    throw_bad_input("data: {} input channels asked for, expected 1 to {}", shape.input_channels,
                    source.channels);
  }
  if (shape.classes != 1 && shape.classes != source.classes) {
    throw_bad_input("data: {} classes asked for, expected 1 (any label) or {} (one per label)",
                    shape.classes, source.classes);
  }
}

}  // namespace

SubjectSource phantom_subjects(const Dims& dims, std::uint64_t seed) {
  PhantomOptions options;
  options.seed = seed;
  options.dims = dims;
  return {
      options.subjects, kPhantomChannels, kPhantomClasses,
      [options](std::size_t subject, std::int64_t) { return phantom_subject(options, subject); }};
}

SubjectSource decathlon_subjects(const std::string& folder, std::uint64_t seed) {
  auto dataset = std::make_shared<const DecathlonDataset>(read_decathlon(folder));
  auto training = split_cases(dataset->cases.size(), seed).training;
  const NiftiHeader first = read_image_header(*dataset, training.front());
  SubjectSource source;
  source.count = training.size();
  source.channels = first.shape.size() == 4 ? first.shape[3] : 1;
  source.classes = static_cast<std::int64_t>(dataset->labels.size()) - 1;
  source.load = [dataset, training](std::size_t subject, std::int64_t channels) {
    return read_subject(*dataset, training.at(subject), channels);
  };
  return source;
}

Batch make_batch(const SubjectSource& source, const SampleShape& shape, std::int64_t images,
                 std::uint64_t seed, std::uint64_t epoch, std::uint64_t step) {
  check(source, shape, images);
  Batch batch{images, shape.dims, shape.input_channels, target_channels(shape), {}, {}};
  const auto voxels = static_cast<std::size_t>(images * shape.dims.voxels());
  batch.input.reserve(voxels * static_cast<std::size_t>(batch.input_channels));
  batch.target.reserve(voxels * static_cast<std::size_t>(batch.output_channels));
  const auto count = static_cast<std::uint64_t>(images);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t index = subject_at(source.count, seed, epoch, step * count + i);
    const Subject subject = source.load(index, shape.input_channels);
    const Sample sample = make_sample(subject, centre_offset(subject, shape), shape);
    batch.input.insert(batch.input.end(), sample.input.begin(), sample.input.end());
    batch.target.insert(batch.target.end(), sample.target.begin(), sample.target.end());
  }
  return batch;
}

}  // namespace voxmark

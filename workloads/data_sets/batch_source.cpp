#include "workloads/data_sets/batch_source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "workloads/data_sets/data_set.h"
#include "workloads/data_sets/phantom.h"
#include "workloads/images/resample.h"
#include "workloads/network/shuffle.h"

namespace voxmark {
namespace {

constexpr std::uint64_t kOrderStreams = 2ULL << 56U;  // apart from every tensor's stream

SubjectSource part_of(const SubjectSource& whole, const std::vector<std::size_t>& members) {
  SubjectSource part = whole;
  part.count = members.size();
  part.load = [load = whole.load, members](std::size_t subject, std::int64_t channels) {
    return load(members.at(subject), channels);
  };
  part.outline = [outline = whole.outline, members](std::size_t subject) {
    return outline(members.at(subject));
  };
  part.affine = [affine = whole.affine, members](std::size_t subject) {
    return affine(members.at(subject));
  };
  part.case_name = [case_name = whole.case_name, members](std::size_t subject) {
    return case_name(members.at(subject));
  };
  return part;
}

SubjectParts split(DataFacts facts, const SubjectSource& whole, const CaseSplit& parts) {
  return {std::move(facts), part_of(whole, parts.training), part_of(whole, parts.validation),
          part_of(whole, parts.test)};
}

SubjectSource drawn_subjects(std::size_t count, const Dims& dims, std::uint64_t seed) {
  PhantomOptions options;
  options.seed = seed;
  options.subjects = count;
  options.dims = dims;
  return {count,
          kPhantomChannels,
          kPhantomClasses,
          [options](std::size_t subject, std::int64_t channels) {
            return phantom_subject(options, subject, channels);
          },
          [dims](std::size_t subject) {
            return Subject{fmt::format("phantom {}", subject), dims, kPhantomChannels, {}, {}};
          },
          [dims](std::size_t) { return phantom_affine(dims); },
          dims,
          [](std::size_t subject) { return fmt::format("phantom {}", subject); }};
}

// Its first image file in the data set: "imagesTr/a.nii.gz" for "./imagesTr/a.nii.gz", and for
// nnU-Net's "imagesTr/a_0000.nii.gz".
std::string name_of(const DataSet& dataset, const DataCase& one) {
  std::string name = std::filesystem::path(one.images.front()).lexically_normal().string();
  const std::size_t channel = name.rfind("_0000.nii");
  if (dataset.layout == "nnunet" && channel != std::string::npos) {
    name.erase(channel, std::string_view("_0000").size());
  }
  return name;
}

// By the files' names and sizes: those of compressed files differ wherever their voxels do.
std::string identity_of(const DataSet& dataset) {
  Sha256 hash;
  const auto add_line = [&](const std::string& line) {
    hash.update(std::as_bytes(std::span(line)));
  };
  const auto add = [&](const std::string& file) {
    const auto bytes = std::filesystem::file_size(std::filesystem::path(dataset.folder) / file);
    add_line(fmt::format("{} {}\n", file, bytes));
  };
  for (const DataCase& one : dataset.cases) {
    std::ranges::for_each(one.images, add);
    add(one.label);
  }
  if (dataset.listed_split) {
    const CaseSplit& split = *dataset.listed_split;
    add_line(fmt::format("validation {}\n", fmt::join(split.validation, " ")));
    add_line(fmt::format("test {}\n", fmt::join(split.test, " ")));
    // Else it is what the other two leave.
    if (split.count() < dataset.cases.size()) {
      add_line(fmt::format("training {}\n", fmt::join(split.training, " ")));
    }
  }
  return hash.hex();
}

}  // namespace

SubjectParts data_set_parts(const std::string& path, std::uint64_t seed,
                            const ReadOptions& reading) {
  auto dataset = std::make_shared<const DataSet>(read_data_set(path, reading));
  const CaseSplit parts = split_of(*dataset, seed);
  SubjectSource whole;
  whole.count = dataset->cases.size();
  const NiftiHeader header = read_image_header(*dataset, parts.training.front());
  whole.channels = header.shape.size() == 4 ? header.shape[3] : 1;
  whole.dims = {header.shape[0], header.shape[1], header.shape[2]};
  whole.classes = std::max<std::int64_t>(1, static_cast<std::int64_t>(dataset->labels.size()) - 1);
  whole.channel_names = dataset->modalities;
  whole.load = [dataset](std::size_t subject, std::int64_t channels) {
    return read_subject(*dataset, subject, channels);
  };
  whole.outline = [dataset](std::size_t subject) { return outline_subject(*dataset, subject); };
  whole.affine = [dataset](std::size_t subject) {
    return read_image_header(*dataset, subject).affine;
  };
  whole.case_name = [dataset](std::size_t subject) {
    return name_of(*dataset, dataset->cases.at(subject));
  };
  return split(
      {dataset->layout, dataset->name, identity_of(*dataset), dataset->labels, dataset->notes},
      whole, parts);
}

SubjectParts phantom_parts(std::size_t count, const Dims& dims, std::uint64_t seed) {
  const std::string identity = fmt::format("{} of {}, seed {}", count, to_string(dims), seed);
  return split({"phantom", "voxmark phantom", identity, phantom_labels(), {}},
               drawn_subjects(count, dims, seed), split_cases(count, seed));
}

SubjectSource phantom_subjects(const Dims& dims, std::uint64_t seed) {
  return drawn_subjects(PhantomOptions{}.subjects, dims, seed);
}

SubjectSource data_set_subjects(const std::string& path, std::uint64_t seed,
                                const ReadOptions& reading) {
  return data_set_parts(path, seed, reading).training;
}

std::size_t subject_at(std::size_t count, std::uint64_t seed, std::uint64_t epoch,
                       std::uint64_t position) {
  const std::uint64_t pass = position / count;
  return shuffled(count, seed, kOrderStreams + (epoch << 24U) + pass)[position % count];
}

void check_source(const SubjectSource& source, const SampleShape& shape, std::int64_t images) {
  if (images < 1) {
    throw_bad_input("data: batch of {}, expected at least 1", images);
  }
  if (shape.input_channels < 1 || shape.input_channels > source.channels) {
    throw_bad_input("data: {} input channels asked for, expected 1 to {}", shape.input_channels,
                    source.channels);
  }
  if (shape.classes != 1 && source.classes == 1) {
    throw_bad_input(
        "data: {} classes asked for, expected 1: the data set names one label besides background, "
        "or none (\"labels\" in its description)",
        shape.classes);
  }
  if (shape.classes != 1 && shape.classes != source.classes) {
    throw_bad_input("data: {} classes asked for, expected 1 (any label) or {} (one per label)",
                    shape.classes, source.classes);
  }
}

namespace {

// `sample_of(subject, position)` makes each sample of the batch, from position `first` on.
template <class SampleOf>
Batch gather(const SubjectSource& source, const SampleShape& shape, std::int64_t images,
             std::uint64_t seed, std::uint64_t epoch, std::uint64_t first,
             const SampleOf& sample_of) {
  check_source(source, shape, images);
  Batch batch{images, shape.dims, shape.input_channels, target_channels(shape), {}, {}};
  const auto voxels = static_cast<std::size_t>(images * shape.dims.voxels());
  batch.input.reserve(voxels * static_cast<std::size_t>(batch.input_channels));
  batch.target.reserve(voxels * static_cast<std::size_t>(batch.output_channels));
  const auto count = static_cast<std::uint64_t>(images);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t position = first + i;
    const std::size_t index = subject_at(source.count, seed, epoch, position);
    const Sample sample = sample_of(source.load(index, shape.input_channels), position);
    batch.input.insert(batch.input.end(), sample.input.begin(), sample.input.end());
    batch.target.insert(batch.target.end(), sample.target.begin(), sample.target.end());
  }
  return batch;
}

}  // namespace

Batch make_batch(const SubjectSource& source, const SampleShape& shape, std::int64_t images,
                 std::uint64_t seed, std::uint64_t epoch, std::uint64_t step, std::int64_t first) {
  return gather(source, shape, images, seed, epoch,
                step * static_cast<std::uint64_t>(images) + static_cast<std::uint64_t>(first),
                [&](const Subject& subject, std::uint64_t) {
                  return make_sample(subject, centre_offset(subject, shape), shape);
                });
}

std::vector<std::string> check_first_batch(const SubjectSource& source, const SampleShape& shape,
                                           std::int64_t images, std::uint64_t seed) {
  check_source(source, shape, images);
  // Later positions meet the same subjects again.
  const std::uint64_t distinct =
      std::min(static_cast<std::uint64_t>(images), std::uint64_t{source.count});
  std::vector<std::string> warnings;
  for (std::uint64_t position = 0; position < distinct; ++position) {
    const Subject subject = source.outline(subject_at(source.count, seed, 0, position));
    centre_offset(subject, shape);
    warnings.insert(warnings.end(), subject.warnings.begin(), subject.warnings.end());
  }
  return warnings;
}

Sample training_sample(const Subject& original, const TrainingRecipe& recipe, std::uint64_t seed,
                       std::uint64_t epoch, std::uint64_t position) {
  const Subject smaller = recipe.downsample > 1
                              ? downsampled(original, recipe.downsample, recipe.shape.classes == 1)
                              : Subject{};
  const Subject& subject = recipe.downsample > 1 ? smaller : original;
  const SampleShape& shape = recipe.shape;

  Dims offset = centred(subject.dims, shape.dims);
  if (recipe.augment || recipe.place == WindowPlace::anywhere) {
    offset = draw_offset(subject.dims, shape.dims, recipe.place, seed, epoch, position);
  }
  std::vector<ChannelScale> scales;
  if (recipe.place == WindowPlace::anywhere) {
    scales = scale_of(subject, {}, subject.dims, shape.input_channels);
  } else {
    const Dims begin = {std::max<std::int64_t>(offset.d, 0), std::max<std::int64_t>(offset.h, 0),
                        std::max<std::int64_t>(offset.w, 0)};
    scales = scale_of(subject, begin, smaller_of(subject.dims, shape.dims), shape.input_channels);
  }
  Sample sample = cut_sample(subject, offset, shape, scales);
  if (!recipe.augment) {
    return sample;
  }
  return augment(sample, shape, draw_augmentation(shape.dims, seed, epoch, position));
}

Batch training_batch(const SubjectSource& source, const TrainingRecipe& recipe, std::int64_t images,
                     std::uint64_t seed, std::uint64_t epoch, std::uint64_t step) {
  return gather(source, recipe.shape, images, seed, epoch,
                step * static_cast<std::uint64_t>(images),
                [&](const Subject& subject, std::uint64_t position) {
                  return training_sample(subject, recipe, seed, epoch, position);
                });
}

}  // namespace voxmark

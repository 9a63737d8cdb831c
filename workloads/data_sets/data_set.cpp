#include "workloads/data_sets/data_set.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "workloads/data_sets/description.h"
#include "workloads/images/file_kind.h"
#include "workloads/images/nifti.h"
#include "workloads/network/shuffle.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSplitStream = 1ULL << 56U;  // apart from every tensor's stream

std::string file_of(const DataSet& dataset, const std::string& relative) {
  return (fs::path(dataset.folder) / relative).lexically_normal().string();
}

Dims spatial_dims(const NiftiHeader& header) {
  return {header.shape[0], header.shape[1], header.shape[2]};
}

// Returns a warning where they differ by more than rounding, and that is accepted; "" otherwise.
std::string check_same_affine(const NiftiHeader& image, const NiftiHeader& label,
                              const ReadOptions& reading, const std::string& label_file) {
  double largest = 0;
  std::string first;
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 4; ++column) {
      const double expected = image.affine[row][column];
      const double found = label.affine[row][column];
      const double difference = std::abs(expected - found);
      largest = std::max(largest, difference);
      if (first.empty() && !(difference <= reading.affine_tolerance)) {
        first = fmt::format("affine[{}][{}] = {}, expected {} as in the image", row, column, found,
                            expected);
      }
    }
  }
  if (!first.empty()) {
    throw_bad_input(
        "{}: {}; its affine differs by up to {:.3g} mm, and {} are accepted; to accept "
        "more: --affine-tolerance MM",
        label_file, first, largest, reading.affine_tolerance);
  }
  if (largest <= ReadOptions{}.affine_tolerance) {
    return "";
  }
  return fmt::format("its affine differs from the image's by up to {:.3g} mm: accepted", largest);
}

// Of 0, 1, 2, ..., how many a label's voxel may have.
std::size_t label_count(const DataSet& dataset) {
  if (dataset.labels.empty()) {
    return kMaxLabels;
  }
  return dataset.labels.size() + (dataset.ignored_label ? 1 : 0);
}

struct LabelValues {
  std::vector<std::uint8_t> labels;
  std::size_t unknown = 0;  // voxels that hold no label
  float first_unknown = 0;
  std::size_t rounded = 0;  // voxels whose value is a label but for rounding
  double largest_rounding = 0;
};

constexpr double kFloatLabelRounding = 1e-3;  // far from a probability or a blurred edge

bool holds_floats(const NiftiHeader& header) {
  return header.type == NiftiType::float32 || header.type == NiftiType::float64;
}

// How far a label may be off a whole number. A writer that scales what it stores puts each value
// into steps of scl_slope, and so half of one away; steps of 1 and more cannot tell labels apart.
// Of floats, a program that resampled or averaged labels left roundings of its own.
double label_rounding(const NiftiHeader& header, double value) {
  // Of float32, in which slope and intercept are stored: two steps, and of no less than 1.
  const double stored = 0x1p-22 * std::max(1.0, std::abs(value));
  if (holds_floats(header)) {
    return std::max(stored, kFloatLabelRounding);
  }
  const double step = std::abs(header.scl_slope);
  if (!header.scaled || step >= 1) {
    return stored;
  }
  // The slope itself is rounded, and 1 in steps of 2/255 lies half a step away.
  return std::max(stored, step / 2 * (1 + 1e-3));
}

LabelValues label_values(const NiftiImage& image, std::size_t count) {
  LabelValues result;
  result.labels.resize(image.values.size());
  for (std::size_t i = 0; i < image.values.size(); ++i) {
    const auto value = static_cast<double>(image.values[i]);
    const double whole = std::round(value);
    const double off = std::abs(value - whole);
    if (whole >= 0 && whole < static_cast<double>(count) && off < 0.5 &&
        off <= label_rounding(image.header, value)) {
      result.labels[i] = static_cast<std::uint8_t>(whole);
      result.rounded += off > 0 ? 1U : 0U;
      result.largest_rounding = std::max(result.largest_rounding, off);
    } else if (result.unknown++ == 0) {
      result.first_unknown = image.values[i];
    }
  }
  return result;
}

std::string scaling_text(const NiftiHeader& header) {
  if (!header.scaled || holds_floats(header)) {
    return "";
  }
  return fmt::format(" (stored in steps of scl_slope = {:.3g}, from scl_inter = {:.3g})",
                     header.scl_slope, header.scl_inter);
}

void add_warnings(const std::string& file, const NiftiHeader& header,
                  std::vector<std::string>& warnings) {
  for (const std::string& warning : header.warnings) {
    warnings.push_back(fmt::format("{}: {}", file, warning));
  }
}

// "fold:N:PATH", unless a file has that very name.
std::pair<std::string, std::optional<std::size_t>> without_fold(const std::string& path) {
  constexpr std::string_view kFold = "fold:";
  std::error_code error;
  if (!path.starts_with(kFold) || fs::exists(path, error)) {
    return {path, std::nullopt};
  }
  const std::size_t colon = path.find(':', kFold.size());
  const std::string digits = path.substr(kFold.size(), colon - kFold.size());
  std::size_t fold = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), fold);
  if (colon == std::string::npos || failure != std::errc() ||
      end != digits.data() + digits.size()) {
    throw_bad_input("{}: expected fold:N:PATH, as in fold:0:data/brats_folds.json", path);
  }
  return {path.substr(colon + 1), fold};
}

// dataset.json, or the datalist that is there in its place.
std::string description_in(const std::string& folder, const fs::path& root) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(root / "dataset.json", error))) {
    return "dataset.json";
  }
  const std::vector<std::string> lists = datalists_in(root);
  if (lists.empty()) {
    refuse_folder(folder);
  }
  if (lists.size() > 1) {
    throw_bad_input("{}: no dataset.json, and {} datalists ({}), expected one: name it, as in {}",
                    folder, lists.size(), fmt::join(lists, ", "),
                    (fs::path(folder) / lists.front()).string());
  }
  return lists.front();
}

// A pointer or a page in place of a description, which would be JSON with a fault.
void refuse_foreign(const std::string& file) {
  std::vector<std::byte> first(kNiftiHeaderBytes);
  first.resize(ByteReader(file).read(first));
  const std::string kind = file_kind(first, false);
  if (!kind.empty()) {
    throw_bad_input("{}: not JSON but {}", file, kind);
  }
}

Description read_description(const std::string& path, std::optional<std::size_t> fold,
                             const ReadOptions& reading) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  if (error) {
    throw_bad_input("{}: {}, expected phantom data, a data set's folder or a datalist", path,
                    error.message());
  }
  Description description;
  description.fold = fold;
  description.reading = reading;
  if (fs::is_directory(real)) {
    description.folder = path;
    description.root = real;
    const std::string file = description_in(path, real);
    FileFaults faults(real, reading);
    faults.check(file);
    faults.throw_if_any();
    description.file = (fs::path(path) / file).string();
  } else {
    if (!fs::is_regular_file(real)) {
      throw_bad_input("{}: expected a data set's folder, or its datalist", path);
    }
    const fs::path folder = fs::path(path).parent_path();
    description.folder = folder.empty() ? "." : folder.string();
    description.root = fs::canonical(description.folder);
    description.file = path;
  }
  refuse_foreign(description.file);
  description.document = read_json_file(description.file);
  if (is_list_of_cases(description.document)) {
    Json document = Json::object();
    document["training"] = std::move(description.document);
    description.document = std::move(document);
  }
  return description;
}

NiftiHeader read_channels_header(const DataSet& dataset, const std::string& image) {
  const std::string file = file_of(dataset, image);
  NiftiHeader header = NiftiReader(file).header();
  header.shape = require_volume(header, file);
  return header;
}

// `header` is the first file's, and becomes that of an image of all channels.
void join_channel_headers(const DataSet& dataset, const std::vector<std::string>& images,
                          NiftiHeader& header) {
  for (const std::string& image : images) {
    const std::string file = file_of(dataset, image);
    const NiftiHeader other = read_channels_header(dataset, image);
    if (other.shape.size() == 4 && other.shape[3] != 1) {
      throw_bad_input("{}: {} channels, expected 1: the case has a file per channel", file,
                      other.shape[3]);
    }
    if (spatial_dims(other) != spatial_dims(header)) {
      throw_bad_input("{}: shape {}, expected {} as in {}", file, fmt::join(other.shape, "x"),
                      to_string(spatial_dims(header)), images.front());
    }
    const std::string moved = check_same_affine(header, other, dataset.reading, file);
    if (image == images.front()) {
      continue;
    }
    if (!moved.empty()) {
      header.warnings.push_back(fmt::format("{}: {}", image, moved));
    }
    for (const std::string& warning : other.warnings) {
      header.warnings.push_back(fmt::format("{}: {}", image, warning));
    }
  }
  header.shape = {header.shape[0], header.shape[1], header.shape[2],
                  static_cast<std::int64_t>(images.size())};
}

// The first `channels` of a case's files, 0 for all, one behind the other.
NiftiImage read_channels(const DataSet& dataset, const std::vector<std::string>& images,
                         std::int64_t channels) {
  NiftiImage image =
      read_nifti(file_of(dataset, images.front()), images.size() == 1 ? channels : 1);
  if (images.size() == 1) {
    return image;
  }
  const auto count = static_cast<std::int64_t>(images.size());
  if (channels > count) {
    throw_bad_input("{}: {} channels asked for, expected 1 to {}", file_of(dataset, images.front()),
                    channels, count);
  }
  image.channels = channels == 0 ? count : channels;
  for (std::int64_t channel = 1; channel < image.channels; ++channel) {
    const NiftiImage one =
        read_nifti(file_of(dataset, images[static_cast<std::size_t>(channel)]), 1);
    image.values.insert(image.values.end(), one.values.begin(), one.values.end());
  }
  return image;
}

}  // namespace

DataSet read_data_set(const std::string& path, const ReadOptions& reading) {
  const auto [place, fold] = without_fold(path);
  const Description description = read_description(place, fold, reading);
  DataSet dataset =
      is_nnunet(description.document) ? read_nnunet(description) : read_datalist(description);
  dataset.reading = reading;
  return dataset;
}

NiftiHeader read_image_header(const DataSet& dataset, std::size_t index) {
  const std::vector<std::string>& images = dataset.cases.at(index).images;
  NiftiHeader header = read_channels_header(dataset, images.front());
  const std::int64_t channels = header.shape.size() == 4 ? header.shape[3] : 1;
  if (images.size() > 1) {
    join_channel_headers(dataset, images, header);
    return header;
  }
  const auto modalities = static_cast<std::int64_t>(dataset.modalities.size());
  if (modalities != 0 && channels != modalities) {
    throw_bad_input("{}: {} channels, expected {}: one per modality in dataset.json",
                    file_of(dataset, images.front()), channels, modalities);
  }
  return header;
}

std::vector<std::uint8_t> read_labels(const DataSet& dataset, std::size_t index,
                                      const NiftiHeader& image,
                                      std::vector<std::string>* warnings) {
  const std::string file = file_of(dataset, dataset.cases.at(index).label);
  NiftiHeader header = NiftiReader(file).header();
  header.shape = header.volume_shape().value_or(header.shape);
  const bool one_volume =
      header.shape.size() == 3 || (header.shape.size() == 4 && header.shape[3] == 1);
  if (!one_volume || spatial_dims(header) != spatial_dims(image)) {
    throw_bad_input("{}: shape {}, expected {} as in the image", file, fmt::join(header.shape, "x"),
                    to_string(spatial_dims(image)));
  }
  const std::string moved = check_same_affine(image, header, dataset.reading, file);

  const NiftiImage read = read_nifti(file);
  const LabelValues found = label_values(read, label_count(dataset));
  if (found.unknown > 0) {
    throw_bad_input(
        "{}: label value {} ({} voxels hold values outside the map), expected 0 to {}{}", file,
        found.first_unknown, found.unknown, label_count(dataset) - 1, scaling_text(read.header));
  }
  if (warnings != nullptr) {
    add_warnings(file, read.header, *warnings);
    if (!moved.empty()) {
      warnings->push_back(fmt::format("{}: {}", file, moved));
    }
    if (found.rounded > 0) {
      warnings->push_back(
          fmt::format("{}: {} voxels hold labels up to {:.3g} off whole numbers{}: "
                      "rounded",
                      file, found.rounded, found.largest_rounding, scaling_text(read.header)));
    }
  }
  return found.labels;
}

Subject outline_subject(const DataSet& dataset, std::size_t index) {
  const NiftiHeader header = read_image_header(dataset, index);
  Subject subject;
  subject.name = file_of(dataset, dataset.cases.at(index).images.front());
  subject.dims = spatial_dims(header);
  subject.channels = header.shape.size() == 4 ? header.shape[3] : 1;
  add_warnings(subject.name, header, subject.warnings);
  return subject;
}

Subject read_subject(const DataSet& dataset, std::size_t index, std::int64_t channels) {
  const NiftiHeader header = read_image_header(dataset, index);
  Subject subject;
  subject.name = file_of(dataset, dataset.cases.at(index).images.front());
  subject.dims = spatial_dims(header);
  subject.labels = read_labels(dataset, index, header, &subject.warnings);
  if (dataset.ignored_label) {
    std::ranges::replace(subject.labels, *dataset.ignored_label, std::uint8_t{0});
  }
  NiftiImage image = read_channels(dataset, dataset.cases.at(index).images, channels);
  subject.channels = image.channels;
  subject.image = std::move(image.values);
  add_warnings(subject.name, header, subject.warnings);
  return subject;
}

CaseSplit split_of(const DataSet& dataset, std::uint64_t seed) {
  return dataset.listed_split ? *dataset.listed_split : split_cases(dataset.cases.size(), seed);
}

CaseSplit split_cases(std::size_t count, std::uint64_t seed) {
  constexpr std::size_t kAll = 484;
  constexpr std::size_t kValidation = 32;
  constexpr std::size_t kTest = 46;
  const std::vector<std::size_t> order = shuffled(count, seed, kSplitStream);
  const std::size_t validation = count * kValidation / kAll;
  const std::size_t test = count * kTest / kAll;
  const auto begin = order.begin();
  const auto validation_begin = begin + static_cast<std::ptrdiff_t>(count - validation - test);
  const auto test_begin = validation_begin + static_cast<std::ptrdiff_t>(validation);
  return {{begin, validation_begin}, {validation_begin, test_begin}, {test_begin, order.end()}};
}

}  // namespace voxmark

#include "training/defaults.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "workloads/images/resample.h"

namespace voxmark {
namespace {

// "the first 2 of 4 channels are read (FLAIR, T1w)"; "" where all are.
std::string channels_text(std::int64_t read, std::int64_t there,
                          const std::vector<std::string>& names) {
  if (read >= there) {
    return "";
  }
  std::string text = read == 1 ? fmt::format("channels: the first of {} is read", there)
                               : fmt::format("channels: the first {} of {} are read", read, there);
  if (static_cast<std::int64_t>(names.size()) == there) {
    text += fmt::format(" ({})", fmt::join(names.begin(), names.begin() + read, ", "));
  }
  return text;
}

std::string window_text(const TrainingOptions& options, const Dims& image) {
  const Dims& window = options.image;
  const std::string turned = options.augment ? ", flipped and turned at random" : "";
  const bool whole = window.d >= image.d && window.h >= image.h && window.w >= image.w;
  const std::string size = fmt::format("{} of an image of {}", to_string(window), to_string(image));
  if (whole) {
    return fmt::format(
        "windows: whole images, padded by their edges where they are smaller than {}{}",
        to_string(window), turned);
  }
  if (options.tile) {
    return fmt::format("windows: {}, anywhere in it{}", size, turned);
  }
  return fmt::format(
      "windows: {}, {}{}: what lies far from the middle is never trained on; --tile takes them "
      "anywhere",
      size, options.augment ? "near its middle" : "in its middle", turned);
}

constexpr const char* kSpacing =
    "spacing: not used: voxels are taken as they are, whatever their size";

void add(std::vector<std::string>& lines, std::string line) {
  if (!line.empty()) {
    lines.push_back(std::move(line));
  }
}

}  // namespace

std::vector<std::string> training_defaults(const TrainingOptions& options,
                                           const SubjectParts& parts) {
  const SubjectSource& source = parts.training;
  std::vector<std::string> lines;
  std::string channels =
      channels_text(options.network.input_channels, source.channels, source.channel_names);
  if (!channels.empty()) {
    channels += fmt::format("; --channels {} reads all", source.channels);
  }
  add(lines, std::move(channels));
  if (options.network.classes == 1 && source.classes > 1) {
    add(lines,
        fmt::format("labels: 1 to {} are one class, whatever is not background; --classes {} "
                    "tells them apart",
                    source.classes, source.classes));
  }
  add(lines, window_text(options, downsampled(source.dims, options.downsample)));
  add(lines, fmt::format("intensities: of each {} and channel mean 0, deviation 1",
                         options.tile ? "image" : "window"));
  if (parts.facts.kind != "phantom") {
    add(lines, kSpacing);
  }
  if (parts.validation.count == 0) {
    add(lines,
        "validation: no case, as the data are split: the best epoch is the one with the lowest "
        "training loss, which tells nothing of other images");
  }
  if (parts.test.count == 0) {
    add(lines, "test: no case, as the data are split: nothing is scored at the end");
  }
  return lines;
}

std::vector<std::string> prediction_defaults(const TrainingOptions& model, std::int64_t channels,
                                             const std::vector<std::string>& channel_names,
                                             std::int64_t classes, bool from_files) {
  std::vector<std::string> lines;
  std::string read = channels_text(model.network.input_channels, channels, channel_names);
  if (!read.empty()) {
    read += ": the model was trained with so many";
  }
  add(lines, std::move(read));
  if (model.network.classes == 1 && classes > 1) {
    add(lines, fmt::format("labels: 1 to {} are one class, as in training: what is predicted is 1, "
                           "whatever is not background",
                           classes));
  }
  add(lines, model.tile
                 ? "intensities: of each image and channel mean 0, deviation 1, as in training"
                 : fmt::format("intensities: scaled by the middle {} of each image, the "
                               "window of the training",
                               to_string(model.image)));
  if (from_files) {
    add(lines, kSpacing);
  }
  return lines;
}

}  // namespace voxmark

#include "tools/voxmark/model_options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "base/error.h"

namespace voxmark {
namespace {

// About 1,400 FLOP per voxel and filter squared: 2^48 of them still count in 64 bits, and are a
// thousand times the paper's largest batch.
constexpr double kMaxVoxelFilters = 281474976710656.0;

// What is wrong with it; nothing of a number above 0.
std::string millimetres(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && std::isfinite(value) &&
      value > 0) {
    return "";
  }
  return fmt::format("\"{}\", expected a number of millimetres above 0", text);
}

}  // namespace

void add_model_options(Command command, ModelOptions& options) {
  command.add_option("--image", options.image, "extents, 64 or 96x96x64: multiples of 16")
      .show_default();
  command.add_option("--batch", options.batch, "images per step").show_default();
  command.add_option("--filters", options.unet.filters, "of the finest level").show_default();
  command.add_option("--channels", options.unet.input_channels, "of an image").show_default();
  command.add_option("--classes", options.unet.classes, "labels besides background").show_default();
}

void add_read_options(Command command, ReadOptions& reading) {
  command.add_flag("--follow-links", reading.follow_links, kFollowLinksHelp);
  command.add_option("--affine-tolerance", reading.affine_tolerance, kAffineToleranceHelp)
      .check(millimetres)
      .show_default();
}

void add_surface_option(Command command, double& tolerance) {
  command
      .add_option(
          "--surface-tolerance", tolerance,
          "of surface Dice (Normalized Surface Distance): millimetres between surfaces that "
          "count as the same")
      .check(millimetres)
      .show_default();
}

Program lower_model(const ModelOptions& options, Mode mode) {
  const Network network = unet3d(options.unet);
  const Dims dims = parse_dims(options.image);
  for (const std::int64_t extent : {dims.d, dims.h, dims.w}) {
    if (extent % kUnetDimsMultiple != 0) {
      throw_bad_input("--image {}: extent {}, expected a multiple of {}", options.image, extent,
                      kUnetDimsMultiple);
    }
  }
  if (options.batch < 1) {
    throw_bad_input("--batch {}: expected 1 or more", options.batch);
  }
  const auto widest = static_cast<double>(
      std::max({options.unet.filters, options.unet.input_channels, options.unet.classes}));
  const double voxels = static_cast<double>(dims.voxels()) * static_cast<double>(options.batch);
  if (voxels * widest * widest > kMaxVoxelFilters) {
    throw_bad_input("--image {} --batch {}: more work than 64 bits can count", options.image,
                    options.batch);
  }
  return lower(network, options.batch, dims, mode);
}

}  // namespace voxmark

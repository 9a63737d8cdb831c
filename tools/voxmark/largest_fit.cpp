#include "tools/voxmark/largest_fit.h"

#include <array>

namespace voxmark {
namespace {

// By voxels, largest first. 240x240x144 is all of a scan (240x240x155) that four poolings divide;
// 144 and 128 are the paper's and its code's crops.
constexpr std::array<Dims, 8> kImages = {
    Dims{240, 240, 144}, Dims{192, 192, 144}, Dims{144, 144, 144}, Dims{128, 128, 128},
    Dims{96, 96, 96},    Dims{64, 64, 64},    Dims{32, 32, 32},    Dims{16, 16, 16}};
constexpr std::int64_t kMaxBatch = 1024;  // past every machine's memory at 240x240x144

}  // namespace

std::optional<Fit> largest_fit(const Backend& backend, const CompileOptions& options,
                               const UnetOptions& unet, std::int64_t room_bytes) {
  const Network network = unet3d(unet);
  for (const Dims& image : kImages) {
    std::optional<Fit> fit;
    const auto fits = [&](std::int64_t batch) {
      const Program program = lower(network, batch, image, Mode::training);
      if (backend.unsupported(program, options)) {
        return false;
      }
      MemoryPlan plan = backend.plan(program, options);
      if (plan.total_bytes() > room_bytes) {
        return false;
      }
      fit = {image, batch, std::move(plan)};
      return true;
    };
    std::int64_t too_large = 1;
    while (too_large <= kMaxBatch && fits(too_large)) {
      too_large *= 2;
    }
    if (!fit) {
      continue;
    }
    while (too_large - fit->batch > 1) {
      const std::int64_t middle = fit->batch + (too_large - fit->batch) / 2;
      if (!fits(middle)) {
        too_large = middle;
      }
    }
    return fit;
  }
  return std::nullopt;
}

}  // namespace voxmark

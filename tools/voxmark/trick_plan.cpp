#include "tools/voxmark/trick_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "training/data.h"
#include "training/moving_statistics.h"
#include "workloads/network/network.h"
#include "workloads/network/program.h"

namespace voxmark {
namespace {

constexpr std::int64_t kSmallBatch = 2;
constexpr std::int64_t kFewFilters = 8;
constexpr std::int64_t kFewLevels = 3;
constexpr int kSplitSeed = 1;

// Half of an extent, or the next multiple that the network takes.
Dims half_of(const Dims& dims) {
  const auto half = [](std::int64_t extent) {
    const std::int64_t unit = 2 * kUnetDimsMultiple;
    return (extent + unit - 1) / unit * kUnetDimsMultiple;
  };
  return {half(dims.d), half(dims.h), half(dims.w)};
}

}  // namespace

std::string data_of_full_images(const std::string& data, const Dims& image) {
  const bool has_dims = std::count(data.begin(), data.end(), ':') > 1;
  if (!is_phantom(data) || has_dims) {
    return data;
  }
  return fmt::format("{}:{}", data, to_string(image));
}

std::vector<Trick> tricks_of(const TrickOptions& options, std::int64_t cases) {
  const Dims half = half_of(options.image);
  Trick full;
  full.name = "full images";
  full.image = options.image;
  full.batch = options.batch;
  full.filters = options.filters;
  std::vector<Trick> tricks(3, full);
  tricks[1].name = "down-sampled";
  tricks[1].image = half;
  tricks[1].downsample = 2;
  tricks[2].name = "tiles";
  tricks[2].image = half;
  tricks[2].tile = true;
  if (options.batch > kSmallBatch) {
    tricks.push_back(full);
    tricks.back().name = "small batch";
    tricks.back().batch = kSmallBatch;
  }
  if (options.filters > kFewFilters) {
    tricks.push_back(full);
    tricks.back().name = "fewer filters";
    tricks.back().filters = kFewFilters;
  }
  tricks.push_back(full);
  tricks.back().name = "fewer levels";
  tricks.back().levels = kFewLevels;
  const std::int64_t full_steps = (cases + full.batch - 1) / full.batch;
  const std::int64_t voxels = full_steps * full.batch * full.image.voxels();
  for (Trick& trick : tricks) {
    const std::int64_t per_step = trick.batch * trick.image.voxels();
    trick.steps = std::max<std::int64_t>(1, (voxels + per_step / 2) / per_step);
  }
  return tricks;
}

std::vector<std::string> train_arguments(const TrickOptions& options, const Trick& trick,
                                         int seed) {
  std::vector<std::string> arguments = {"train",
                                        "--data",
                                        data_of_full_images(options.data, options.image),
                                        "--image",
                                        to_string(trick.image),
                                        "--batch",
                                        std::to_string(trick.batch),
                                        "--channels",
                                        std::to_string(options.channels),
                                        "--classes",
                                        std::to_string(options.classes),
                                        "--filters",
                                        std::to_string(trick.filters),
                                        "--levels",
                                        std::to_string(trick.levels),
                                        "--downsample",
                                        std::to_string(trick.downsample),
                                        "--steps",
                                        std::to_string(trick.steps),
                                        "--epochs",
                                        std::to_string(options.epochs),
                                        "--backend",
                                        options.backend,
                                        "--precision",
                                        options.precision,
                                        "--threads",
                                        std::to_string(options.threads),
                                        "--seed",
                                        std::to_string(seed),
                                        "--split-seed",
                                        std::to_string(kSplitSeed)};
  if (trick.tile) {
    arguments.emplace_back("--tile");
  }
  const std::vector<std::string> reading = flags_of(options.reading);
  arguments.insert(arguments.end(), reading.begin(), reading.end());
  if (!options.memory_limit.empty()) {
    arguments.insert(arguments.end(), {"--memory-limit", options.memory_limit});
  }
  return arguments;
}

std::string too_few_steps(const std::vector<Trick>& tricks, int epochs) {
  for (const Trick& trick : tricks) {
    const double share = share_of_the_start(trick.steps * epochs);
    if (share > kMostOfTheStart) {
      return fmt::format(
          "{}: after {} steps {:.0f}% of the moving statistics, which inference uses, is still "
          "their start: Dice tells of the number of steps more than of the trick; --epochs {} "
          "leaves 1%",
          trick.name, trick.steps * epochs, 100 * share,
          (steps_that_leave_the_start() + trick.steps - 1) / trick.steps);
    }
  }
  return "";
}

bool is_finished(const Json& report, const TrickOptions& options, const Trick& trick, int seed,
                 const std::string& path) {
  const Json wanted = {{"data", data_of_full_images(options.data, options.image)},
                       {"image", {trick.image.d, trick.image.h, trick.image.w}},
                       {"batch", trick.batch},
                       {"channels", options.channels},
                       {"classes", options.classes},
                       {"filters", trick.filters},
                       {"levels", trick.levels},
                       {"tile", trick.tile},
                       {"downsample", trick.downsample},
                       {"steps_per_epoch", trick.steps},
                       {"epochs", options.epochs},
                       {"backend", options.backend},
                       {"precision", options.precision},
                       {"threads", options.threads},
                       {"memory_limit_bytes",
                        options.memory_limit_bytes ? Json(*options.memory_limit_bytes) : Json()},
                       {"seed", seed},
                       {"split_seed", kSplitSeed}};
  Json found = report.at("options");
  found.emplace("levels", kUnetLevels);  // reports of earlier versions do not say so
  for (const auto& [key, value] : wanted.items()) {
    if (!found.contains(key) || found.at(key) != value) {
      throw_bad_input("{}: a run with {} {}, expected {}", path, key,
                      found.contains(key) ? dump_json(found.at(key)) : "unknown", dump_json(value));
    }
  }
  const Json& end = report.at("end");
  if (end == "diverged") {
    return true;  // the same seed would diverge again
  }
  return (end == "done" || end == "early_stop") && !report.at("test").is_null();
}

}  // namespace voxmark

// Which runs `voxmark tricks` compares: full images and ways to get by with less memory, all of
// them on the same data and at equal voxels seen. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "workloads/images/read_options.h"
#include "workloads/network/batch.h"
#include "workloads/network/network.h"

namespace voxmark {

// What all runs share.
struct TrickOptions {
  std::string data;
  ReadOptions reading;
  Dims image{64, 64, 64};  // of full images
  std::int64_t batch = 4;
  std::int64_t channels = 1;
  std::int64_t classes = 1;
  std::int64_t filters = 16;
  int epochs = 25;
  std::string backend = "onednn";
  std::string precision = "fp32";
  int threads = 1;
  std::string memory_limit;                        // as on the command line
  std::optional<std::int64_t> memory_limit_bytes;  // the same; nothing: no limit
};

struct Trick {
  std::string name;
  Dims image;
  std::int64_t batch = 1;
  std::int64_t filters = 16;
  std::int64_t levels = kUnetLevels;
  bool tile = false;
  std::int64_t downsample = 1;
  std::int64_t steps = 1;  // per epoch
};

// The data with images of `image`: phantoms would be drawn at the dims of each run's windows
// otherwise, and a tile of a head would be a whole, smaller head.
std::string data_of_full_images(const std::string& data, const Dims& image);

// Full images first; then those tricks that change something. `cases` to train on. Each sees as
// many voxels per epoch as full images do, to half a step.
std::vector<Trick> tricks_of(const TrickOptions& options, std::int64_t cases);

// `voxmark train` with everything but its --out and --resume. The split is the same for all seeds:
// the spread over them is that of training.
std::vector<std::string> train_arguments(const TrickOptions& options, const Trick& trick, int seed);

// What makes the tricks' Dice no comparison: with too few steps the moving statistics, which
// inference uses, still hold a share of their start, and Dice tells how many steps there were.
// Names the first of them with more than 1%, its share and the epochs that would do; "" if none.
std::string too_few_steps(const std::vector<Trick>& tricks, int epochs);

// Whether a training report is that of this run, done and tested, or diverged. Throws Error
// (bad_input) naming `path` and the first option that differs.
bool is_finished(const Json& report, const TrickOptions& options, const Trick& trick, int seed,
                 const std::string& path);

}  // namespace voxmark

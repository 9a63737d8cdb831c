// What is trained and how, and what a checkpoint keeps of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.h"
#include "backends/collectives.h"
#include "base/json.h"
#include "training/prediction/surface_dice.h"
#include "workloads/data_sets/batch_source.h"
#include "workloads/network/network.h"

namespace voxmark {

// Whose images batch norms normalise by.
enum class BatchNormOver { all_ranks, own_images };
std::string_view to_string(BatchNormOver over);  // "global", "local"

struct TrainingOptions {
  const Backend* backend = nullptr;
  Precision precision = Precision::fp32;
  int threads = 1;
  // That all of it may take: the plans, and what host_memory.h counts beside them.
  std::int64_t memory_bytes = 0;

  // How many processes train together, each on its share of every batch. memory_bytes and threads
  // are those of each. `collectives` outlives the training; two ranks or more need it.
  int ranks = 1;
  Collectives* collectives = nullptr;
  BatchNormOver batch_norm = BatchNormOver::all_ranks;

  Dims image{64, 64, 64};  // of the windows that are trained on
  std::int64_t batch = 1;  // images of a step, of all ranks together, which divide it
  UnetOptions network;
  std::uint64_t seed = 1;  // of weights, order and augmentation
  // Of the split, and of phantoms; nothing: `seed`. It is here for the record: parts are split
  // before.
  std::optional<std::uint64_t> split_seed;
  bool augment = true;
  bool tile = false;            // windows anywhere in the image; predictions are blended
  std::int64_t downsample = 1;  // of images, before windows are cut

  int epochs = 1;
  std::int64_t steps_per_epoch = 0;  // 0: as many as see every training case once
  int patience = 0;                  // epochs without a better validation loss; 0: never stops
  std::string folder;                // for checkpoints; must exist
  double checkpoint_seconds = 600;   // between those within an epoch
  int readers = 2;                   // threads that make batches
  // What each of them does first: where OpenMP holds the thread that starts them on one CPU, they
  // would share it.
  std::function<void()> begin_reader = {};
  // Millimetres within which surfaces of the test's labels are the same: surface_dice.h.
  double surface_tolerance = kSurfaceToleranceMillimetres;
  std::int64_t exported_batches = 0;  // of the steps to come: written to the folder, for others
  std::string binary_sha256;          // of the program, for the record; "": unknown

  std::uint64_t splitting_seed() const { return split_seed.value_or(seed); }
  std::int64_t images_per_rank() const { return batch / ranks; }
};

// A step of training, as one rank computes it.
Program step_program(const TrainingOptions& options);

// Steps of an epoch: options.steps_per_epoch, or as many as see every training case once; the last
// batch is then filled up with cases that are seen twice.
std::int64_t steps_per_epoch(const TrainingOptions& options, const SubjectParts& parts);

// How training makes windows of subjects.
TrainingRecipe recipe_of(const TrainingOptions& options);

// What a checkpoint keeps of the options that decide the result; keys as on the command line.
Json to_json(const TrainingOptions& options);
// And of what computes: the same losses bit by bit are promised for the same only.
Json computing_json(const TrainingOptions& options);

// Throws Error (bad_input) naming the first option that differs from those of the checkpoint at
// `path`, or its data. Returns a line for everything of computing_json() that differs: the losses
// will differ slightly.
std::vector<std::string> check_resumable(const TrainingOptions& options, const DataFacts& data,
                                         const Json& state, const std::string& path);

// The options that a checkpoint was made with: the network, dims, scaling, tiles. Backend, threads
// and memory are the caller's. Throws Error (bad_input) naming `name`.
TrainingOptions options_from_checkpoint(const Json& state, const std::string& name);

struct PredictorOptions;
// How volumes are predicted with a model that was trained so.
PredictorOptions predictor_options(const TrainingOptions& options, std::int64_t memory_bytes);

}  // namespace voxmark

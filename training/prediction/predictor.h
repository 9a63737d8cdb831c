// Predicts whole volumes with trained weights: scaled once, padded by their own edges to multiples
// of 16, predicted in one piece or in overlapping tiles, and cut back.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "backends/backend.h"
#include "workloads/images/preprocess.h"
#include "workloads/network/weights.h"

namespace voxmark {

struct PredictorOptions {
  const Backend* backend = nullptr;
  Precision precision = Precision::fp32;
  int threads = 1;
  UnetOptions network;
  // Extents of the centred window whose mean and deviation scale the image: those that training
  // fed, so that prediction sees intensities as training did. Measured with windows of 48 voxels in
  // drawn heads of 64: Dice 0.95, against 0.20 when the whole image, with more air in it, sets the
  // scale. An image that is no larger is scaled as a whole. Nothing: always as a whole.
  std::optional<Dims> scale_window;
  std::int64_t downsample = 1;    // as in training; predictions are interpolated back
  std::optional<Dims> tile;       // multiples of 16; nothing: the whole volume in one piece
  Dims small_tile{64, 64, 64};    // where the volume in one piece would take more than
  std::int64_t memory_bytes = 0;  // planned bytes
};

class Predictor {
 public:
  explicit Predictor(PredictorOptions options);

  // Parameters and moving statistics of the network; others are ignored.
  void set_weights(const Weights& weights);

  // Probabilities (D, H, W, channels) in the subject's dims. Throws Error: cannot_here when not
  // even a tile fits into the memory, bad_input when the subject has too few channels.
  // `tile_done` is told how many tiles are done, and of how many.
  using TileDone = std::function<void(std::int64_t done, std::int64_t all)>;
  std::vector<float> predict(const Subject& subject, const TileDone& tile_done = {});

  std::int64_t channels() const { return output_channels(options_.network); }
  // Of planned_bytes_of(): what the next predictions may take.
  void set_memory_bytes(std::int64_t bytes) { options_.memory_bytes = bytes; }
  // The most that what was compiled so far takes, in the sense of planned_bytes_of().
  std::int64_t planned_bytes() const { return planned_bytes_; }
  // What predicting pieces of `dims` takes: the plan, and a piece's input and prediction. Nothing
  // is compiled.
  std::int64_t planned_bytes_of(const Dims& dims) const;
  // The extents that a padded volume is predicted in: its own, or those of tiles. Throws Error
  // (cannot_here) when not even a tile fits.
  Dims piece_for(const Dims& padded);
  // Whether a volume was too large for the memory and was cut into tiles that nobody asked for.
  bool tiled_for_memory() const { return tiled_for_memory_; }

 private:
  struct Compiled {
    Program program;
    std::unique_ptr<Executable> executable;
  };

  Compiled& compiled_for(const Dims& dims);
  std::int64_t piece_bytes(const Dims& dims) const;
  void load_weights_into(Compiled& compiled) const;
  std::vector<float> predict_at_network_scale(const Subject& subject, const TileDone& tile_done);

  PredictorOptions options_;
  Weights weights_;
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, Compiled> compiled_;
  std::int64_t compiled_bytes_ = 0;
  std::int64_t planned_bytes_ = 0;
  bool tiled_for_memory_ = false;
};

}  // namespace voxmark

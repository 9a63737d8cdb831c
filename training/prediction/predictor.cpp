#include "training/prediction/predictor.h"

#include <algorithm>
#include <utility>

#include "backends/interpreter/executable_weights.h"
#include "base/error.h"
#include "training/prediction/tiles.h"
#include "workloads/images/resample.h"

namespace voxmark {
namespace {

// Executables for other dims are kept while all of them together stay below this: a data set of
// small images comes in a handful of dims, and compiling takes longer than predicting.
constexpr std::int64_t kKeptBytes = std::int64_t{1} << 30U;

Program inference_program(const PredictorOptions& options, const Dims& dims) {
  return lower(unet3d(options.network), 1, dims, Mode::inference);
}

CompileOptions compile_options(const PredictorOptions& options, const Program& program) {
  CompileOptions compile;
  compile.precision = options.precision;
  compile.threads = options.threads;
  compile.readable = {program.prediction};
  return compile;
}

Dims plus(const Dims& a, const Dims& b) { return {a.d + b.d, a.h + b.h, a.w + b.w}; }

// Adds a tile's prediction, weighted, to the part of `sums` (volume dims) that it covers, and its
// weights to `weights`. `offset`: of the tile in the volume, which it may leave.
void blend(const std::vector<double>& prediction, const Dims& tile, const Dims& offset,
           const Dims& volume, std::size_t channels, std::vector<double>& sums,
           std::vector<double>& weights) {
  std::size_t from = 0;
  for (std::int64_t d = 0; d < tile.d; ++d) {
    for (std::int64_t h = 0; h < tile.h; ++h) {
      for (std::int64_t w = 0; w < tile.w; ++w, ++from) {
        const Dims at = plus(offset, {d, h, w});
        const bool inside = at.d >= 0 && at.d < volume.d && at.h >= 0 && at.h < volume.h &&
                            at.w >= 0 && at.w < volume.w;
        if (!inside) {
          continue;
        }
        const double weight =
            blend_weight(d, tile.d) * blend_weight(h, tile.h) * blend_weight(w, tile.w);
        const auto voxel = static_cast<std::size_t>((at.d * volume.h + at.h) * volume.w + at.w);
        weights[voxel] += weight;
        for (std::size_t channel = 0; channel < channels; ++channel) {
          sums[voxel * channels + channel] += weight * prediction[from * channels + channel];
        }
      }
    }
  }
}

}  // namespace

Predictor::Predictor(PredictorOptions options) : options_(std::move(options)) {}

void Predictor::set_weights(const Weights& weights) {
  weights_ = weights;
  for (auto& [dims, compiled] : compiled_) {
    load_weights_into(compiled);
  }
}

void Predictor::load_weights_into(Compiled& compiled) const {
  voxmark::set_weights(*compiled.executable, compiled.program, weights_);
}

std::int64_t Predictor::planned_bytes_of(const Dims& dims) const {
  const Program program = inference_program(options_, dims);
  return options_.backend->plan(program, compile_options(options_, program)).total_bytes() +
         piece_bytes(dims);
}

// Input and target as they are cut, and the prediction that is read.
std::int64_t Predictor::piece_bytes(const Dims& dims) const {
  const auto floats = static_cast<std::int64_t>(sizeof(float));
  const auto doubles = static_cast<std::int64_t>(sizeof(double));
  return dims.voxels() *
         (options_.network.input_channels * floats + channels() * (floats + doubles));
}

Dims Predictor::piece_for(const Dims& padded) {
  if (options_.tile) {
    return smaller_of(*options_.tile, padded);
  }
  if (planned_bytes_of(padded) <= options_.memory_bytes) {
    return padded;
  }
  const Dims small = smaller_of(options_.small_tile, padded);
  const std::int64_t needed = planned_bytes_of(small);
  if (needed > options_.memory_bytes) {
    throw Error(ExitCode::cannot_here,
                fmt::format("prediction: a tile of {} takes {} bytes, expected at most {}",
                            to_string(small), needed, options_.memory_bytes));
  }
  tiled_for_memory_ = true;
  return small;
}

Predictor::Compiled& Predictor::compiled_for(const Dims& dims) {
  const auto key = std::tuple(dims.d, dims.h, dims.w);
  if (compiled_bytes_ + piece_bytes(dims) > options_.memory_bytes) {  // it may have become less
    compiled_.clear();
    compiled_bytes_ = 0;
  }
  const auto known = compiled_.find(key);
  if (known != compiled_.end()) {
    return known->second;
  }

  Program program = inference_program(options_, dims);
  const CompileOptions compile = compile_options(options_, program);
  if (const auto unsupported = options_.backend->unsupported(program, compile)) {
    throw Error(ExitCode::cannot_here,
                fmt::format("{}: {}", options_.backend->name(), unsupported->reason));
  }
  const std::int64_t bytes = options_.backend->plan(program, compile).total_bytes();
  const std::int64_t needed = bytes + piece_bytes(dims);
  if (compiled_bytes_ + needed > std::min(kKeptBytes, options_.memory_bytes)) {
    compiled_.clear();
    compiled_bytes_ = 0;
  }
  compiled_bytes_ += bytes;
  planned_bytes_ = std::max(planned_bytes_, compiled_bytes_ + piece_bytes(dims));
  Compiled compiled{std::move(program), nullptr};
  compiled.executable = options_.backend->compile(compiled.program, compile);
  load_weights_into(compiled);
  return compiled_.emplace(key, std::move(compiled)).first->second;
}

std::vector<float> Predictor::predict_at_network_scale(const Subject& subject,
                                                       const TileDone& tile_done) {
  const Dims window = smaller_of(options_.scale_window.value_or(subject.dims), subject.dims);
  const std::vector<ChannelScale> scales =
      scale_of(subject, centred(subject.dims, window), window, options_.network.input_channels);
  const Dims padded = padded_to_multiple(subject.dims, kUnetDimsMultiple);
  const Dims piece = piece_for(padded);
  const Dims padding = centred(subject.dims, padded);  // not positive
  Compiled& compiled = compiled_for(piece);

  const SampleShape shape{piece, options_.network.input_channels, options_.network.classes};
  const auto width = static_cast<std::size_t>(channels());
  const auto voxels = static_cast<std::size_t>(subject.dims.voxels());
  std::vector<double> sums(voxels * width);
  std::vector<double> weights(voxels);
  std::vector<double> prediction(static_cast<std::size_t>(piece.voxels()) * width);
  const std::vector<Dims> tiles = tile_offsets(padded, piece);
  std::int64_t done = 0;
  for (const Dims& tile : tiles) {
    const Dims offset = plus(tile, padding);
    Sample sample = cut_sample(subject, offset, shape, scales);
    compiled.executable->load({1, piece, shape.input_channels, target_channels(shape),
                               std::move(sample.input), std::move(sample.target)});
    compiled.executable->run();
    compiled.executable->read(compiled.program.prediction, prediction);
    blend(prediction, piece, offset, subject.dims, width, sums, weights);
    if (tile_done) {
      tile_done(++done, static_cast<std::int64_t>(tiles.size()));
    }
  }
  std::vector<float> result(sums.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = static_cast<float>(sums[i] / weights[i / width]);
  }
  return result;
}

std::vector<float> Predictor::predict(const Subject& subject, const TileDone& tile_done) {
  if (options_.downsample == 1) {
    return predict_at_network_scale(subject, tile_done);
  }
  const Subject smaller = downsampled(subject, options_.downsample, options_.network.classes == 1);
  return upsampled(predict_at_network_scale(smaller, tile_done), smaller.dims, channels(),
                   subject.dims, options_.downsample);
}

}  // namespace voxmark

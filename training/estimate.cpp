#include "training/estimate.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "backends/interpreter/executable_weights.h"
#include "base/error.h"
#include "training/host_memory.h"
#include "training/prediction/predictor.h"
#include "training/prediction/tiles.h"
#include "training/shared_scores.h"
#include "workloads/images/resample.h"
#include "workloads/network/cost.h"
#include "workloads/network/synthetic.h"
#include "workloads/network/weights.h"

namespace voxmark {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Dims kProbe{64, 64, 64};

// Of the fastest of some steps after the first, which finds cold caches: what else runs here makes
// others slower. As many as fit into a second, or one.
double seconds_per_flop(const TrainingOptions& options, CompileOptions compile) {
  compile.ranks = 1;  // nobody else is there yet
  const Dims dims = smaller_of(kProbe, options.image);
  const Program program = lower(unet3d(options.network), 1, dims, Mode::training);
  const auto executable = options.backend->compile(program, compile);
  const Weights weights = initial_weights(program, options.seed);
  set_weights(*executable, program, weights);
  executable->load(synthetic_batch(1, dims, options.network.input_channels, options.network.classes,
                                   options.seed, 0));
  executable->run();
  constexpr double kSeconds = 1;
  double fastest = std::numeric_limits<double>::infinity(), spent = 0;
  while (spent < kSeconds) {
    const Clock::time_point start = Clock::now();
    executable->run();
    executable->update();
    const double taken = std::chrono::duration<double>(Clock::now() - start).count();
    fastest = std::min(fastest, taken);
    spent += taken;
  }
  return fastest / static_cast<double>(flops(program));
}

}  // namespace

Estimate estimate(const TrainingOptions& options, const SubjectParts& parts) {
  const Network network = unet3d(options.network);
  const Program step = step_program(options);
  const CompileOptions compile = step_options(options, bytes_beside_step(options, step, parts));
  if (const auto unsupported = options.backend->unsupported(step, compile)) {
    throw Error(ExitCode::cannot_here,
                fmt::format("{}: {}", options.backend->name(), unsupported->reason));
  }
  Estimate result;
  const std::int64_t step_bytes = options.backend->plan(step, compile).total_bytes();
  const std::int64_t host_bytes = host_memory(options, step, parts).total();
  result.fits = step_bytes <= *compile.memory_limit_bytes;

  const Dims volume =
      padded_to_multiple(downsampled(parts.training.dims, options.downsample), kUnetDimsMultiple);
  Predictor predictor(predictor_options(options, options.memory_bytes - step_bytes - host_bytes));
  const Dims piece = result.fits ? predictor.piece_for(volume) : smaller_of(options.image, volume);
  result.tiled = predictor.tiled_for_memory();
  const bool is_scored = parts.validation.count + parts.test.count > 0;
  result.memory = training_memory(options, step, parts, step_bytes,
                                  is_scored ? predictor.planned_bytes_of(piece) : 0);

  const double per_flop = seconds_per_flop(options, compile);
  result.step_seconds = per_flop * static_cast<double>(flops(step));
  const Program forward = lower(network, 1, piece, Mode::inference);
  const double case_seconds = per_flop * static_cast<double>(flops(forward)) *
                              static_cast<double>(tile_offsets(volume, piece).size());
  const auto steps = static_cast<double>(steps_per_epoch(options, parts)) * options.epochs;
  const auto scored = static_cast<double>(cases_of_rank(parts.validation.count, 0, options.ranks)) *
                          options.epochs +
                      static_cast<double>(cases_of_rank(parts.test.count, 0, options.ranks));
  result.total_seconds = steps * result.step_seconds + scored * case_seconds;
  return result;
}

}  // namespace voxmark

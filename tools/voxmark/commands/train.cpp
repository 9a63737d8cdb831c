// voxmark train: from a data set to a trained model, its scores, and a report.
#include <fmt/ranges.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/number_text.h"
#include "base/tell.h"
#include "benches/machine/doctor.h"
#include "benches/machine/environment.h"
#include "benches/process/interrupt.h"
#include "benches/run/progress.h"
#include "results/claims/papers_training.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"
#include "tools/voxmark/train_flags.h"
#include "tools/voxmark/train_folder.h"
#include "tools/voxmark/train_report.h"
#include "tools/voxmark/train_screen.h"
#include "training/data.h"
#include "training/defaults.h"
#include "training/estimate.h"
#include "training/moving_statistics.h"
#include "training/trainer.h"

namespace voxmark {
namespace {

void check_seconds(const char* flag, double seconds) {
  if (std::isnan(seconds) || seconds < 0) {
    throw_bad_input("{} {}: expected 0 or more", flag, seconds);
  }
}

TrainingOptions options_of(const TrainFlags& flags) {
  lower_model(flags.model, Mode::training);  // says which flag does not make sense
  TrainingOptions options = flags.training;
  check_at_least("--epochs", options.epochs, 1);
  check_at_least("--steps", options.steps_per_epoch, 0);
  check_at_least("--patience", options.patience, 0);
  check_at_least("--downsample", options.downsample, 1);
  check_at_least("--readers", options.readers, 1);
  check_at_least("--export-batches", options.exported_batches, 0);
  check_seconds("--checkpoint-seconds", options.checkpoint_seconds);
  check_seconds("--progress-seconds", flags.progress_seconds);
  check_threads(options.threads);
  options.backend = &learning_backend(flags.backend);
  options.precision = parse_precision(flags.precision);
  options.image = parse_dims(flags.model.image);
  options.batch = flags.model.batch;
  options.network = flags.model.unet;
  options.augment = !flags.no_augment;
  options.folder = flags.out;
  options.binary_sha256 = binary_sha256();
  options.memory_bytes = memory_bytes_of(flags.memory_limit);
  return options;
}

// The paper's model, images and epochs. Flags that are given stand.
void apply_preset(Command command, TrainFlags& flags) {
  if (flags.preset.empty()) {
    return;
  }
  if (flags.preset != "whitepaper") {
    throw_bad_input("--preset {}: expected whitepaper", flags.preset);
  }
  const auto set = [&](const char* flag, auto& value, const auto& preset) {
    if (!command.option(flag).was_given()) {
      value = preset;
    }
  };
  const Json paper = papers_training();
  const Json& options = paper.at("options");
  set("--image", flags.model.image,
      fmt::format("{}", fmt::join(options.at("image").get<std::vector<std::int64_t>>(), "x")));
  set("--batch", flags.model.batch, options.at("batch").get<std::int64_t>());
  set("--epochs", flags.training.epochs, paper.at("epochs").get<int>());
}

// "fits, 19.5 GiB to spare"
std::string room_text(bool fits, std::int64_t needed, std::int64_t there) {
  return fits ? fmt::format("fits, {} to spare", bytes_text(there - needed))
              : fmt::format("does not fit, {} are missing", bytes_text(needed - there));
}

// Before anything of the run's size is allocated. False: it does not fit.
bool print_estimate(const TrainingOptions& options, const SubjectParts& parts) {
  const auto busy = busy_machine();
  if (busy) {
    tell(stderr, "warning: {}\n", busy_warning(*busy));
  }
  const Estimate guess = estimate(options, parts);
  const std::int64_t needed = guess.memory.total();
  tell(stderr, "estimated from a small step{}: {:.3g} s per step of {} image(s) of {}, {} in all\n",
       busy ? " on a busy machine" : "", guess.step_seconds, options.batch,
       to_string(options.image), human_seconds(guess.total_seconds));
  tell(stderr, "memory: {} of {}: {}{}: {}\n", bytes_text(needed), bytes_text(options.memory_bytes),
       room_text(guess.fits, needed, options.memory_bytes),
       guess.tiled ? ", with predictions in tiles" : "", to_string(guess.memory));
  return guess.fits;
}

ExitCode exit_code(TrainingEnd end) {
  switch (end) {
    case TrainingEnd::done:
    case TrainingEnd::early_stop:
      return ExitCode::done;
    case TrainingEnd::interrupted:
      return static_cast<ExitCode>(128 + pending_interrupt());
    case TrainingEnd::diverged:
      return ExitCode::answer_is_no;
  }
  throw_internal("training: no such end");
}

// What nobody asked for, and what decides how good the model gets.
void print_defaults(const TrainingOptions& options, const SubjectParts& parts) {
  for (const std::string& line : training_defaults(options, parts)) {
    tell(stderr, "{}\n", line);
  }
  if (parts.validation.count + parts.test.count == 0) {
    return;
  }
  if (parts.test.count > 0) {
    const SurfaceScale scale{spacing_of(parts.test.affine(0)), options.surface_tolerance};
    if (const std::string warning = surface_warning(scale); !warning.empty()) {
      tell(stderr, "{}\n", warning);
    }
  }
  const std::string worth = worth_of_scores(steps_per_epoch(options, parts), options.epochs);
  if (!worth.empty()) {
    tell(stderr, "warning: {}\n", worth);
  }
}

ExitCode run_training(const TrainFlags& flags) {
  const TrainingOptions options = options_of(flags);
  const SubjectParts parts = open_parts(flags.data, options.image, options.splitting_seed(),
                                        !options.tile && options.downsample == 1, flags.reading);
  check_source(parts.training, recipe_of(options).shape, options.batch);
  if (flags.dry_run || !flags.preset.empty()) {
    const bool fits = print_estimate(options, parts);
    if (!fits) {
      return ExitCode::cannot_here;
    }
    if (flags.dry_run) {
      print_defaults(options, parts);
      return ExitCode::done;
    }
  }
  const TrainFolder folder(flags.out);
  const bool resume = goes_on(flags);
  if (resume) {
    check_last_checkpoint(flags);
    if (has_ended(flags, options, parts)) {
      print_next_step(flags);
      fmt::print("done: the run has all its epochs and its test; report in {}\n",
                 file_in(flags, "training.json"));
      return ExitCode::done;
    }
  }
  if (flags.resume && !resume) {
    tell(stderr, "{}: nothing to resume, so the run begins\n", flags.out);
  }
  const Json frame = report_frame(flags, options, parts);
  tell(stderr, "{}: {} cases to train on, {} for validation, {} for the test\n", flags.data,
       parts.training.count, parts.validation.count, parts.test.count);
  for (const std::string& line : data_lines(parts.facts, options.network.classes)) {
    tell(stderr, "{}\n", line);
  }
  print_defaults(options, parts);
  catch_interrupts();
  TrainScreen screen(flags, frame);
  if (!is_phantom(flags.data)) {
    tell(stderr, "reading every case once, so that a broken file is found now\n");
    read_every_case(
        parts, options.network.input_channels, options.readers,
        [] { return pending_interrupt() != 0; },
        [&](const std::string& warning) { screen.warning(warning); });
  }
  const TrainingResult result = train(options, parts, resume, screen);
  screen.write(result, std::string(to_string(result.end)));
  print_end(result, flags);
  return exit_code(result.end);
}

}  // namespace

void add_train(Command program) {
  const auto flags = std::make_shared<TrainFlags>();
  flags->training.epochs = 25;
  Command command = program.add_command("train", "Trains the model on a data set, and scores it");
  command
      .add_option("--data", flags->data,
                  "a data set's folder or datalist, or phantom:N for N heads drawn when needed "
                  "(phantom:N:240x240x155 at dims of their own)")
      .required();
  add_read_options(command, flags->reading);
  add_model_options(command, flags->model);
  command
      .add_option("--levels", flags->model.unet.levels,
                  "of the network, 2 to 5: each level but the first has half the resolution of the "
                  "one above it and twice its filters")
      .show_default();
  command.add_option("--epochs", flags->training.epochs, "at most").show_default();
  command
      .add_option("--steps", flags->training.steps_per_epoch,
                  "per epoch; 0: as many as see every training case once")
      .show_default();
  command
      .add_option("--patience", flags->training.patience,
                  "stop after so many epochs without a better validation loss; 0: never")
      .show_default();
  command.add_option("--backend", flags->backend, "voxmark list backends").show_default();
  command.add_option("--precision", flags->precision, "fp32, fp64 or bf16").show_default();
  const Option threads = add_threads_option(command, flags->training.threads, "of the backend");
  command.add_option("--memory-limit", flags->memory_limit, "8GiB; default: what there is");
  command.add_option("--seed", flags->training.seed, "of weights, order and augmentation")
      .show_default();
  command.add_option("--split-seed", flags->training.split_seed,
                     "of the split, and of phantoms; default: --seed");
  command.add_flag("--no-augment", flags->no_augment, "windows in the middle, never turned");
  command.add_flag("--tile", flags->training.tile,
                   "windows of --image anywhere in the image; predictions are blended from "
                   "overlapping tiles");
  command
      .add_option("--downsample", flags->training.downsample,
                  "average boxes of so many voxels per axis before anything else")
      .show_default();
  add_surface_option(command, flags->training.surface_tolerance);
  command.add_option("--readers", flags->training.readers, "threads that read ahead")
      .show_default();
  command
      .add_option("--checkpoint-seconds", flags->training.checkpoint_seconds,
                  "between checkpoints within an epoch")
      .show_default();
  command
      .add_option("--progress-seconds", flags->progress_seconds,
                  "between lines of progress, where no terminal shows every step")
      .show_default();
  command.add_option("--export-batches", flags->training.exported_batches,
                     "write the next so many batches and the weights before them to OUT/batches, "
                     "for other programs");
  command
      .add_option("--out", flags->out,
                  "folder: training.json, training.csv, steps.csv, checkpoints")
      .show_default();
  command.add_option("--preset", flags->preset,
                     "whitepaper: the paper's images, batch and epochs; hours and memory are "
                     "predicted first; the same command goes on with a stopped run");
  command.add_flag("--dry-run", flags->dry_run, "predict hours and memory, and stop");
  const Option resume =
      command.add_flag("--resume", flags->resume, "go on from the folder's last checkpoint");
  command.add_flag("--overwrite", flags->overwrite, "begin anew, and replace the run in --out")
      .excludes({resume});
  command.set_footer(
      "Cases are split by the split seed: 406/32/46 of 484 for training, validation, test. Images "
      "smaller "
      "than --image are padded by their own edges.\n"
      "Example: voxmark train --data Task04_Hippocampus --image 48x64x48 --epochs 25 --out run");
  command.set_action([flags, command, threads] {
    apply_preset(command, *flags);
    tell_threads(threads);
    return run_training(*flags);
  });
}

}  // namespace voxmark

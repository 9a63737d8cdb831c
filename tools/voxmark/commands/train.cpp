// voxmark train: from a data set to a trained model, its scores, and a report.
#include <fmt/ranges.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "backends/ranks/rank_talk.h"
#include "base/error_lines.h"
#include "base/number_text.h"
#include "base/tell.h"
#include "benches/child/child.h"
#include "benches/machine/doctor.h"
#include "benches/machine/environment.h"
#include "benches/process/interrupt.h"
#include "benches/process/process_cpus.h"
#include "benches/ranks/rank_place.h"
#include "benches/run/progress.h"
#include "benches/threads/thread_team.h"
#include "results/claims/papers_training.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/rank_output.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"
#include "tools/voxmark/train_flags.h"
#include "tools/voxmark/train_folder.h"
#include "tools/voxmark/train_ranks.h"
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

BatchNormOver batch_norm_of(const TrainFlags& flags) {
  for (const BatchNormOver over : {BatchNormOver::all_ranks, BatchNormOver::own_images}) {
    if (flags.batch_norm == to_string(over)) {
      return over;
    }
  }
  throw_bad_input("--batch-norm {}: expected global or local", flags.batch_norm);
}

TrainingOptions options_of(const TrainFlags& flags) {
  lower_model(flags.model, Mode::training);  // says which flag does not make sense
  TrainingOptions options = flags.training;
  check_at_least("--ranks", flags.ranks, 1);
  check_at_least("--epochs", options.epochs, 1);
  check_at_least("--steps", options.steps_per_epoch, 0);
  check_at_least("--patience", options.patience, 0);
  check_at_least("--downsample", options.downsample, 1);
  check_at_least("--readers", options.readers, 1);
  check_at_least("--export-batches", options.exported_batches, 0);
  check_seconds("--checkpoint-seconds", options.checkpoint_seconds);
  check_seconds("--progress-seconds", flags.progress_seconds);
  if (!(flags.timeout_seconds > 0)) {
    throw_bad_input("--timeout {}: expected more than 0", flags.timeout_seconds);
  }
  options.ranks = flags.ranks;
  options.batch_norm = batch_norm_of(flags);
  options.backend = &learning_backend(flags.backend);
  options.precision = parse_precision(flags.precision);
  options.image = parse_dims(flags.model.image);
  options.batch = flags.model.batch;
  options.network = flags.model.unet;
  options.augment = !flags.no_augment;
  options.folder = flags.out;
  options.binary_sha256 = binary_sha256();
  options.begin_reader = [cpus = process_cpus()] {
    if (cpus) {
      sched_setaffinity(0, sizeof *cpus, &*cpus);
    }
  };
  options.memory_bytes = memory_bytes_of(flags.memory_limit);
  if (options.batch % options.ranks != 0) {
    throw_bad_input("--batch {} --ranks {}: expected a batch that the ranks divide", options.batch,
                    options.ranks);
  }
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
  const bool alone = options.ranks == 1;
  tell(stderr,
       "estimated from a small step{}{}: {:.3g} s per step of {} image(s) of {}, {} in all\n",
       alone ? "" : " of one rank, without what ranks tell each other",
       busy ? " on a busy machine" : "", guess.step_seconds, options.batch,
       to_string(options.image), human_seconds(guess.total_seconds));
  tell(stderr, "memory{}: {} of {}: {}{}: {}\n", alone ? "" : " of each rank", bytes_text(needed),
       bytes_text(options.memory_bytes), room_text(guess.fits, needed, options.memory_bytes),
       guess.tiled ? ", with predictions in tiles" : "", to_string(guess.memory));
  return guess.fits;
}

// `signal`: that interrupted it.
ExitCode exit_code(TrainingEnd end, int signal) {
  switch (end) {
    case TrainingEnd::done:
    case TrainingEnd::early_stop:
      return ExitCode::done;
    case TrainingEnd::interrupted:
      return static_cast<ExitCode>(128 + signal);
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

SubjectParts parts_of(const TrainFlags& flags, const TrainingOptions& options) {
  SubjectParts parts = open_parts(flags.data, options.image, options.splitting_seed(),
                                  !options.tile && options.downsample == 1, flags.reading);
  check_source(parts.training, recipe_of(options).shape, options.batch);
  return parts;
}

void tell_beforehand(const TrainFlags& flags, const TrainingOptions& options,
                     const SubjectParts& parts) {
  tell(stderr, "{}: {} cases to train on, {} for validation, {} for the test\n", flags.data,
       parts.training.count, parts.validation.count, parts.test.count);
  for (const std::string& line : data_lines(parts.facts, options.network.classes)) {
    tell(stderr, "{}\n", line);
  }
  print_defaults(options, parts);
}

enum class Beginning { anew, resume, has_ended };

// What becomes of a run that is in the folder.
Beginning beginning(const TrainFlags& flags, const TrainingOptions& options,
                    const SubjectParts& parts) {
  const bool resume = goes_on(flags);
  if (resume) {
    check_last_checkpoint(flags);
    if (has_ended(flags, options, parts)) {
      print_next_step(flags);
      fmt::print("done: the run has all its epochs and its test; report in {}\n",
                 file_in(flags, "training.json"));
      return Beginning::has_ended;
    }
  }
  if (flags.resume && !resume) {
    tell(stderr, "{}: nothing to resume, so the run begins\n", flags.out);
  }
  return resume ? Beginning::resume : Beginning::anew;
}

// In this process, which is alone.
ExitCode train_alone(const TrainFlags& flags, const TrainingOptions& options,
                     const SubjectParts& parts) {
  const TrainFolder folder(flags.out);
  const Beginning begins = beginning(flags, options, parts);
  if (begins == Beginning::has_ended) {
    return ExitCode::done;
  }
  const Json frame = report_frame(flags, options, parts);
  tell_beforehand(flags, options, parts);
  catch_interrupts();
  TrainScreen screen(flags, frame);
  if (!is_phantom(flags.data)) {
    tell(stderr, "reading every case once, so that a broken file is found now\n");
    read_every_case(
        options, parts, [] { return pending_interrupt() != 0; },
        [&](const std::string& warning) { screen.warning(warning); });
  }
  const TrainingResult result = train(options, parts, begins == Beginning::resume, screen);
  screen.write(result, std::string(to_string(result.end)));
  print_end(result, flags);
  return exit_code(result.end, pending_interrupt());
}

// In this process, which is one of several ranks. Rank 0 alone has the folder and the screen.
ExitCode train_as_rank(const TrainFlags& flags, RankGroup& group) {
  Collectives* const ranks = &group.collectives();
  check_ranks(group, flags.training.threads);
  together(ranks, [&] { check_team(flags.training.threads, cpu_sharing() == CpuSharing::always); });
  TrainingOptions options;
  SubjectParts parts;
  const int beside = ranks_beside(group);
  together(ranks, [&] {
    options = options_of(flags);
    options.memory_bytes /= beside;
    parts = parts_of(flags, options);
  });
  options.collectives = ranks;
  std::optional<TrainFolder> folder;
  Beginning begins = Beginning::anew;
  together(ranks, [&] {
    if (group.is_first()) {
      folder.emplace(flags.out);
      begins = beginning(flags, options, parts);
    }
  });
  if (any_rank(ranks, begins == Beginning::has_ended)) {
    return ExitCode::done;
  }
  const bool resume = any_rank(ranks, begins == Beginning::resume);
  Json frame;
  std::optional<TrainScreen> screen;
  if (group.is_first()) {
    frame = report_frame(flags, options, parts);
    frame["ranks"] = facts_of_ranks(group, flags);
    tell_beforehand(flags, options, parts);
    tell(stderr, "{} ranks of {} by {}, {} image(s) of each step each; batch norms are {}\n",
         group.ranks(), counted(flags.training.threads, "thread"),
         frame["ranks"]["library"].get<std::string>(), options.images_per_rank(), flags.batch_norm);
    screen.emplace(flags, frame);
  }
  catch_interrupts();
  RankObserver observer(group, flags, screen ? &*screen : nullptr, frame);
  if (!is_phantom(flags.data)) {
    if (group.is_first()) {
      tell(stderr, "reading every case once, so that a broken file is found now\n");
    }
    read_every_case(
        options, parts, [&] { return observer.stop(); },
        [&](const std::string& warning) { observer.warning(warning); });
  }
  const TrainingResult result = train(options, parts, resume, observer);
  observer.gather_facts();
  if (screen) {
    screen->write(result, std::string(to_string(result.end)));
    print_end(result, flags);
  }
  return exit_code(result.end, observer.signal());
}

// The process of a rank. What ends the run is said by rank 0 to the process that started it; an
// error of one rank alone ends them all.
ExitCode run_rank(const TrainFlags& flags) {
  before_mpi(place_rank_and_exec);
  std::optional<RankGroup> started;
  before_mpi([&] { started.emplace(flags.ranks); });
  RankGroup& group = *started;
  if (group.is_first()) {
    say_what_is_printed();
  }
  const auto end = [&](ExitCode code, std::vector<std::string> lines) {
    if (group.is_first()) {
      std::fflush(stdout);
      say({RankSays::end, "", code, std::move(lines)});
    }
  };
  const auto fail = [&](ExitCode code, const std::string& message) {
    end(code, {message});
    group.abort(failure_of(code), message);
  };
  try {
    end(train_as_rank(flags, group), {});
  } catch (const ErrorLines& error) {  // of all ranks' cases
    end(error.code(), error.lines());
  } catch (const AgreedError& error) {
    end(error.code(), {error.what()});
  } catch (const Error& error) {
    fail(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    fail(ExitCode::cannot_here, "out of memory");
  } catch (const std::exception& error) {
    fail(ExitCode::internal, error.what());
  }
  group.finish();
  return ExitCode::done;
}

ExitCode run_training(TrainFlags& flags, bool threads_given) {
  std::variant<RankSettings, std::string> found;
  if (flags.ranks > 1) {
    found = rank_settings(flags.rank_flags);
    if (!threads_given) {
      flags.training.threads = std::max(1, flags.training.threads / ranks_of_a_host(flags, found));
    }
    check_cpus_for_ranks(flags.rank_flags, flags.ranks, flags.training.threads);
  }
  if (flags.ranks == 1 || !flags.rank_flags.oversubscribe) {
    check_threads(flags.training.threads);
  }
  TrainingOptions options = options_of(flags);
  options.memory_bytes /= ranks_of_a_host(flags, found);
  const SubjectParts parts = parts_of(flags, options);
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
  if (flags.ranks == 1) {
    return train_alone(flags, options, parts);
  }
  if (const auto* reason = std::get_if<std::string>(&found)) {
    throw Error(ExitCode::cannot_here, fmt::format("--ranks {}: {}", flags.ranks, *reason));
  }
  return start_ranks(flags, std::get<RankSettings>(found), flags.training.threads);
}

// Returns --threads.
Option add_train_options(Command command, const std::shared_ptr<TrainFlags>& flags) {
  flags->training.epochs = 25;
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
  command
      .add_option("--ranks", flags->ranks,
                  "processes that train together, by MPI; --batch counts for all")
      .show_default();
  command
      .add_option("--batch-norm", flags->batch_norm,
                  "global: over the images of all ranks; local: over those of each")
      .show_default();
  add_rank_options(command, flags->rank_flags);
  command
      .add_option("--timeout", flags->timeout_seconds,
                  "without a step, before a rank counts as hung; seconds")
      .show_default();
  command.set_footer(
      "Cases are split by the split seed: 406/32/46 of 484 for training, validation, test. Images "
      "smaller "
      "than --image are padded by their own edges.\n"
      "Example: voxmark train --data Task04_Hippocampus --image 48x64x48 --epochs 25 --out run");
  return threads;
}

}  // namespace

void add_train(Command program) {
  const auto flags = std::make_shared<TrainFlags>();
  Command command = program.add_command("train", "Trains the model on a data set, and scores it");
  const Option threads = add_train_options(command, flags);
  command.set_action([flags, command, threads] {
    apply_preset(command, *flags);
    tell_threads(threads);
    return run_training(*flags, threads.was_given());
  });
}

void add_train_rank(Command child) {
  const auto flags = std::make_shared<TrainFlags>();
  Command command = child.add_command("train", "A rank of voxmark train, which starts it");
  add_train_options(command, flags);
  command.add_option("--rank-threads", flags->rank_threads, "of this rank").required();
  command.add_option("--launched", flags->launched, "what started it, for the report").required();
  command.add_flag("--terminal", flags->terminal, "whoever sees its words sees every step");
  command.set_action([flags, command] {
    apply_preset(command, *flags);
    flags->training.threads = flags->rank_threads;
    return run_rank(*flags);
  });
}

}  // namespace voxmark

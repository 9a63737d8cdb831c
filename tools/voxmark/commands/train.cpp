// voxmark train: from a data set to a trained model, its scores, and a report.
#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/atomic_file.h"
#include "base/number_text.h"
#include "base/overwrite.h"
#include "base/tell.h"
#include "benches/machine/build_info.h"
#include "benches/machine/doctor.h"
#include "benches/machine/environment.h"
#include "benches/process/interrupt.h"
#include "benches/process/process_status.h"
#include "benches/run/progress.h"
#include "results/claims/claims.h"
#include "results/report.h"
#include "results/training_report.h"
#include "tools/voxmark/model_options.h"
#include "tools/voxmark/run_on.h"
#include "tools/voxmark/subcommand.h"
#include "training/checkpoint.h"
#include "training/data.h"
#include "training/defaults.h"
#include "training/estimate.h"
#include "training/moving_statistics.h"
#include "training/trainer.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

struct TrainFlags {
  std::string data;
  ReadOptions reading;
  ModelOptions model;
  std::string backend = "onednn";
  std::string precision = "fp32";
  std::string memory_limit;
  std::string out = "voxmark-training";
  double progress_seconds = 60;
  bool no_augment = false;
  bool resume = false;
  bool overwrite = false;
  bool dry_run = false;
  std::string preset;
  TrainingOptions training;
};

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

std::string file_in(const TrainFlags& flags, const char* name) {
  return (fs::path(flags.out) / name).string();
}

// What a run leaves in its folder; first the one without which nothing goes on.
constexpr const char* kRunFiles[] = {"last.safetensors", "best.safetensors", "training.json",
                                     "training.csv", "steps.csv"};

// Those of the run before, for --overwrite.
void remove_run(const TrainFlags& flags) {
  for (const char* name : kRunFiles) {
    std::error_code error;
    fs::remove(file_in(flags, name), error);
    if (error) {
      throw_bad_input("{}: cannot be removed: {}", file_in(flags, name), error.message());
    }
  }
}

void write_text(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

// Everything but what changes while the run goes on.
Json report_frame(const TrainFlags& flags, const TrainingOptions& options,
                  const SubjectParts& parts) {
  Json shown = {{"data", flags.data},
                {"backend", flags.backend},
                {"precision", flags.precision},
                {"threads", options.threads},
                {"preset", flags.preset.empty() ? Json() : Json(flags.preset)}};
  if (flags.reading.follow_links) shown["follow_links"] = true;
  if (flags.reading != ReadOptions{}) {
    shown["affine_tolerance"] = flags.reading.affine_tolerance;
  }
  shown.update(to_json(options));
  shown["epochs"] = options.epochs;
  shown["patience"] = options.patience;
  shown["memory_limit_bytes"] = flags.memory_limit.empty() ? Json() : Json(options.memory_bytes);
  return {{"schema", kTrainingSchemaName},
          {"created", ""},
          {"voxmark", program_facts(options.binary_sha256)},
          {"environment", probe_environment()},
          {"options", std::move(shown)},
          {"data",
           {{"kind", parts.facts.kind},
            {"name", parts.facts.name},
            {"identity", parts.facts.identity},
            {"labels", parts.facts.labels}}},
          {"cases",
           {{"training", parts.training.count},
            {"validation", parts.validation.count},
            {"test", parts.test.count}}}};
}

Json test_json(const TrainingResult& result) {
  if (result.test.empty()) return {};
  Json cases = Json::array();
  ScoreMean mean;
  for (const TestCase& scored : result.test) {
    cases.push_back({{"name", scored.name},
                     {"file", scored.file},
                     {"dims", {scored.dims.d, scored.dims.h, scored.dims.w}},
                     {"scores", to_json(scored.scores)}});
    mean.add(scored.scores);
  }
  return {{"mean", to_json(mean.mean())},
          {"cases", std::move(cases)},
          {"tiled_for_memory", result.prediction_tiled}};
}

// The paper's model, images and epochs. Flags that are given stand.
void apply_preset(Command command, TrainFlags& flags) {
  if (flags.preset.empty()) return;
  if (flags.preset != "whitepaper") {
    throw_bad_input("--preset {}: expected whitepaper", flags.preset);
  }
  const auto set = [&](const char* flag, auto& value, const auto& preset) {
    if (!command.option(flag).was_given()) value = preset;
  };
  set("--image", flags.model.image, "240x240x144");
  set("--batch", flags.model.batch, 16);
  set("--epochs", flags.training.epochs, 25);
}

// "fits, 19.5 GiB to spare"
std::string room_text(bool fits, std::int64_t needed, std::int64_t there) {
  return fits ? fmt::format("fits, {} to spare", bytes_text(there - needed))
              : fmt::format("does not fit, {} are missing", bytes_text(needed - there));
}

// Before anything of the run's size is allocated. False: it does not fit.
bool print_estimate(const TrainingOptions& options, const SubjectParts& parts) {
  const auto busy = busy_machine();
  if (busy) tell(stderr, "warning: {}\n", busy_warning(*busy));
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

// `end`: null while the run goes on.
Json report_of(const Json& frame, const TrainingResult& result, const Json& end) {
  Json report = frame;
  report["created"] = iso_time(std::chrono::system_clock::now());
  report["forecast"] = to_json(result.forecast);
  report["epochs"] = Json::array();
  for (const EpochRecord& epoch : result.epochs) report["epochs"].push_back(to_json(epoch));
  report["best_epoch"] = result.best_epoch;
  report["end"] = end;
  report["test"] = test_json(result);
  report["claims"] = paper_figures(report, whitepaper_claims().claims);
  report["memory"] = {{"planned_bytes", result.forecast.planned_bytes},
                      {"peak_bytes", result.peak_bytes > 0 ? Json(result.peak_bytes) : Json()}};
  return report;
}

std::string dice_text(const Scores& scores) {
  std::string text = fmt::format("Dice {:.4f}", scores.mean_hard_dice());
  if (scores.hard_dice.size() > 1) {
    text += fmt::format(" ({:.3f})", fmt::join(scores.hard_dice, ", "));
    if (scores.whole_dice) text += fmt::format(" whole {:.4f}", *scores.whole_dice);
  }
  return text;
}

std::string scores_text(const Scores& scores) {
  double soft = 0;
  for (const double value : scores.soft_dice) {
    soft += value / static_cast<double>(scores.soft_dice.size());
  }
  return fmt::format("loss {:.4f} acc {:.4f} {} soft {:.4f}", scores.loss, scores.accuracy,
                     dice_text(scores), soft);
}

std::string best_text(const EpochRecord& record) {
  if (!record.best) return "";
  return record.validation ? " (best)" : " (lowest training loss)";
}

// How far the scores of an epoch's end are those of the moving statistics' start.
std::string start_text(std::int64_t steps) {
  const double share = share_of_the_start(steps);
  if (share <= kMostOfTheStart) return "";
  return fmt::format(" ({:.0f}% of the moving statistics is still their start)", 100 * share);
}

// Prints lines, and keeps the report on the disk up to date.
class TrainingScreen : public TrainingObserver {
 public:
  TrainingScreen(const TrainFlags& flags, const Json& frame)
      : flags_(flags), frame_(frame), terminal_(isatty(STDERR_FILENO) == 1) {}

  void warning(const std::string& text) override { tell(stderr, "warning: {}\n", text); }

  void forecast(const Forecast& forecast) override {
    // Not before all that might refuse the run has been asked.
    if (flags_.overwrite) remove_run(flags_);
    tell(stderr,
         "predicted: {:.3g} s per step, {} per epoch, {} in all; {} of memory planned: {}\n",
         forecast.step_seconds, human_seconds(forecast.epoch_seconds),
         human_seconds(forecast.total_seconds), bytes_text(forecast.planned_bytes),
         to_string(forecast.memory));
  }

  void step(int epoch, std::int64_t step, std::int64_t steps, double loss,
            double seconds_left) override {
    const auto now = std::chrono::steady_clock::now();
    const std::chrono::duration<double> silence = now - last_line_;
    if (!terminal_ && (silence.count() < flags_.progress_seconds || step == steps)) return;
    last_line_ = now;
    tell(stderr, "{}epoch {} step {}/{}: loss {:.4f}; about {} left{}", terminal_ ? "\r\033[K" : "",
         epoch, step, steps, loss, human_seconds(seconds_left), terminal_ ? "" : "\n");
    std::fflush(stderr);
  }

  void epoch(const TrainingResult& so_far, double seconds_left) override {
    const EpochRecord& record = so_far.epochs.back();
    if (terminal_) tell(stderr, "\r\033[K");
    tell(stdout, "epoch {}: {:.1f} s, {:.3g} s/image, {:.1f}% waiting; training {}", record.epoch,
         record.seconds, record.seconds_per_image(), 100 * record.waiting_share(),
         scores_text(record.training));
    if (record.validation) {
      tell(stdout, "; validation {}{}", scores_text(*record.validation),
           start_text(record.epoch * so_far.steps_per_epoch));
    }
    tell(stdout, "{}; about {} left\n", best_text(record), human_seconds(seconds_left));
    std::fflush(stdout);
    last_line_ = std::chrono::steady_clock::now();
    write(so_far, Json());
  }

  void tested(const TestCase& scored, std::size_t number, std::size_t count) override {
    tell(stdout, "test {}/{}: {} {}: {}\n", number, count, scored.name, to_string(scored.dims),
         dice_text(scored.scores));
  }

  bool stop() override { return pending_interrupt() != 0; }
  std::int64_t peak_bytes() override { return process_bytes(0, "VmHWM").value_or(0); }

  void write(const TrainingResult& result, const Json& end) const {
    const Json report = report_of(frame_, result, end);
    write_training_report(file_in(flags_, "training.json"), report);
    write_text(file_in(flags_, "training.csv"), epochs_csv(report));
    write_text(file_in(flags_, "steps.csv"), steps_csv(report));
  }

 private:
  const TrainFlags& flags_;
  const Json& frame_;
  bool terminal_;
  std::chrono::steady_clock::time_point last_line_ = std::chrono::steady_clock::now();
};

// A run's folder, made where there is none yet, for one process alone. Where a folder cannot be
// locked, as on some network file systems, the user has to see to that.
class RunFolder {
 public:
  explicit RunFolder(const std::string& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error || !fs::is_directory(path)) {
      throw_bad_input("--out {}: cannot be made: {}", path, error.message());
    }
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor_ < 0) return;
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      ::close(descriptor_);
      throw_bad_input("--out {}: another run is writing to it", path);
    }
  }
  ~RunFolder() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

 private:
  int descriptor_ = -1;
};

// Whether to go on with a run: with --resume, or where the same preset was under way. Throws Error
// (bad_input) where a file of a run would be lost.
bool goes_on(const TrainFlags& flags) {
  if (flags.overwrite) return false;
  std::error_code error;
  const bool has_run = fs::exists(last_checkpoint(flags.out), error);
  if (has_run && (flags.resume || !flags.preset.empty())) return true;
  const char* otherwise = has_run
                              ? "; --resume goes on with the run"
                              : "; there is no last.safetensors from which --resume could go on";
  for (const char* name : kRunFiles) {
    check_overwrite("--out", file_in(flags, name), false, otherwise);
  }
  return false;
}

// Throws Error (bad_input) when the checkpoint to go on from cannot be read.
void check_last_checkpoint(const TrainFlags& flags) {
  try {
    read_checkpoint_state(last_checkpoint(flags.out));
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("--resume {}; --overwrite begins anew", error.what()));
  }
}

// Whether the run that is to be resumed has its last epoch, its test and its report.
bool has_ended(const TrainFlags& flags, const TrainingOptions& options, const SubjectParts& parts) {
  const int epochs = epochs_of_finished(options, parts);
  const bool has_all = std::ranges::all_of(
      kRunFiles, [&](const char* name) { return holds_something(file_in(flags, name)); });
  if (epochs == 0 || !has_all) return false;
  try {
    const Json report = read_training_report(file_in(flags, "training.json"));
    return (report["end"] == "done" || report["end"] == "early_stop") &&
           std::cmp_equal(report["epochs"].size(), epochs) &&
           (parts.test.count == 0 || !report["test"].is_null());
  } catch (const Error&) {
    return false;  // a report that cannot be read is written again
  }
}

void print_next_step(const TrainFlags& flags) {
  if (flags.preset.empty()) return;
  fmt::print("voxmark reproduce --training {} judges it by the paper\n",
             file_in(flags, "training.json"));
}

void print_end(const TrainingResult& result, const TrainFlags& flags) {
  if (!result.test.empty()) {
    ScoreMean mean;
    for (const TestCase& scored : result.test) mean.add(scored.scores);
    fmt::print("test, {} cases, weights of epoch {}: {}\n", result.test.size(), result.best_epoch,
               scores_text(mean.mean()));
  }
  print_next_step(flags);
  fmt::print("{} after {} epochs; report in {}\n", to_string(result.end), result.epochs.size(),
             file_in(flags, "training.json"));
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
  if (parts.validation.count + parts.test.count == 0) return;
  const std::string worth = worth_of_scores(steps_per_epoch(options, parts), options.epochs);
  if (!worth.empty()) tell(stderr, "warning: {}\n", worth);
}

ExitCode run_training(const TrainFlags& flags) {
  const TrainingOptions options = options_of(flags);
  const SubjectParts parts = open_parts(flags.data, options.image, options.splitting_seed(),
                                        !options.tile && options.downsample == 1, flags.reading);
  check_source(parts.training, recipe_of(options).shape, options.batch);
  if (flags.dry_run || !flags.preset.empty()) {
    const bool fits = print_estimate(options, parts);
    if (!fits) return ExitCode::cannot_here;
    if (flags.dry_run) {
      print_defaults(options, parts);
      return ExitCode::done;
    }
  }
  const RunFolder folder(flags.out);
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
  TrainingScreen screen(flags, frame);
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

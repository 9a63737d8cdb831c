#include "training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "backends/interpreter/executable_weights.h"
#include "base/error.h"
#include "training/checkpoint.h"
#include "training/exported_batches.h"
#include "training/host_memory.h"
#include "training/prediction/case_files.h"
#include "training/prediction/predictor.h"
#include "training/prediction/surface_dice.h"
#include "training/read_ahead.h"

namespace voxmark {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double gibibytes(std::int64_t bytes) { return std::ldexp(static_cast<double>(bytes), -30); }

// What a process that was killed left of a checkpoint in the making.
void remove_unfinished(const std::string& checkpoint) {
  const std::filesystem::path path(checkpoint);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path.parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(path.filename().string() + ".") && name.ends_with(".part")) {
      std::filesystem::remove(entry.path(), error);
    }
  }
}

// Where a resumed run stands. First what it was made with: tensors of other shapes say less.
Position resumed_position(const TrainingOptions& options, const DataFacts& data,
                          const std::function<void(const std::string&)>& warn) {
  const std::string path = last_checkpoint(options.folder);
  const Json state = read_checkpoint_state(path);
  for (const std::string& difference : check_resumable(options, data, state, path)) {
    warn(difference + ": the losses will differ slightly");
  }
  if (!state.contains("position")) {
    throw_bad_input("{}: has no position", path);
  }
  Position position = position_from_json(state.at("position"), path);
  // Checkpoints of earlier versions know only who wrote them.
  if (position.step > 0 && position.computed_by.empty()) {
    position.computed_by.push_back(state.at("computing"));
  }
  return position;
}

bool stopped_early(const TrainingOptions& options, const Position& position) {
  const auto done = static_cast<int>(position.epochs.size());
  return options.patience > 0 && position.step == 0 &&
         done - position.best_epoch >= options.patience;
}

bool is_finished(const TrainingOptions& options, const Position& position) {
  return position.epoch >= options.epochs || stopped_early(options, position);
}

// What best.safetensors is instead of the weights of the best epoch; "" where it is them.
std::string fault_of_best(const TrainingOptions& options, const DataFacts& data,
                          const Position& position) {
  const std::string path = best_checkpoint(options.folder);
  try {
    const Json state = read_checkpoint_state(path);
    check_resumable(options, data, state, path);
    const Position found = position_from_json(state.value("position", Json()), path);
    // Another run with the same options has other times, and another backend other losses.
    const auto index = static_cast<std::size_t>(position.best_epoch - 1);
    const bool same = found.epoch == position.best_epoch && found.step == 0 &&
                      found.epochs.size() > index &&
                      to_json(found.epochs[index]) == to_json(position.epochs[index]);
    return same ? "" : fmt::format("{}: of epoch {}, or of another run", path, found.epoch);
  } catch (const Error& error) {
    return error.what();
  }
}

// Whether best.safetensors is there, or not needed yet. False: the run was killed between its two
// checkpoints, and the best weights are those of the last. Throws Error (bad_input) where they are
// lost.
bool has_best(const TrainingOptions& options, const DataFacts& data, const Position& position) {
  if (position.best_epoch == 0) {
    return true;
  }
  const std::string fault = fault_of_best(options, data, position);
  if (fault.empty()) {
    return true;
  }
  if (position.best_epoch != position.epoch || position.step != 0) {
    throw_bad_input("{}; expected the weights of epoch {}, the best of this run", fault,
                    position.best_epoch);
  }
  return false;
}

class Trainer {
 public:
  Trainer(const TrainingOptions& options, const SubjectParts& parts, TrainingObserver& observer)
      : options_(options),
        parts_(parts),
        observer_(observer),
        recipe_(recipe_of(options)),
        program_(lower(unet3d(options.network), options.batch, options.image, Mode::training)),
        steps_(voxmark::steps_per_epoch(options, parts)) {
    check_source(parts.training, recipe_.shape, options.batch);
  }

  TrainingResult run(bool resume) {
    start(resume);
    TrainingEnd end = TrainingEnd::done;
    if (!finished()) {
      export_batches();
      measure_forecast();
      end = train_epochs();
    }
    if (stopped_early(options_, position_)) {
      end = TrainingEnd::early_stop;
    }
    std::vector<TestCase> test;  // before the result, which has the peak
    if (end == TrainingEnd::done || end == TrainingEnd::early_stop) {
      test = score_test();
      if (test.size() < parts_.test.count) {  // some of the cases tell nothing
        test.clear();
        end = TrainingEnd::interrupted;
      }
    }
    TrainingResult result = result_so_far();
    result.end = end;
    result.test = std::move(test);
    result.prediction_tiled = predictor_->tiled_for_memory();
    result.forecast.planned_bytes = std::max(result.forecast.planned_bytes, planned_bytes());
    return result;
  }

 private:
  void start(bool resume) {
    std::optional<Weights> weights;
    std::int64_t memory_bytes = options_.memory_bytes;
    if (resume) {
      position_ = resumed_position(options_, parts_.facts, [this](const std::string& warning) {
        observer_.warning(warning);
      });
      weights = load_weights(last_checkpoint(options_.folder), program_);
      if (position_.memory_bytes > memory_bytes) {
        had_memory_bytes_ = position_.memory_bytes;
      }
      // With more memory, too, what was tiled stays tiled.
      memory_bytes = std::min(memory_bytes, position_.memory_bytes);
    }
    position_.memory_bytes = memory_bytes;
    note_computing();
    for (const std::string& path :
         {last_checkpoint(options_.folder), best_checkpoint(options_.folder)}) {
      remove_unfinished(path);
    }
    compile(memory_bytes);
    set_weights(*executable_, program_,
                weights ? *weights : initial_weights(program_, options_.seed));
    check_best();
  }

  void check_best() {
    if (!has_best(options_, parts_.facts, position_)) {
      save(best_checkpoint(options_.folder));
    }
  }

  void compile(std::int64_t memory_bytes) {
    TrainingOptions options = options_;
    options.memory_bytes = memory_bytes;
    host_bytes_ = host_memory(options, program_, parts_).total();
    const CompileOptions compile =
        step_options(options, bytes_beside_step(options, program_, parts_));
    if (const auto unsupported = options_.backend->unsupported(program_, compile)) {
      throw Error(ExitCode::cannot_here,
                  fmt::format("{}: {}", options_.backend->name(), unsupported->reason));
    }
    const std::int64_t planned = options_.backend->plan(program_, compile).total_bytes();
    if (planned > *compile.memory_limit_bytes) {
      throw Error(ExitCode::cannot_here,
                  fmt::format("{}: a step takes {} bytes, expected at most {}: {} less {} for "
                              "batches, images and predictions",
                              options_.backend->name(), planned, *compile.memory_limit_bytes,
                              memory_bytes, memory_bytes - *compile.memory_limit_bytes));
    }
    executable_ = options_.backend->compile(program_, compile);
    predictor_ = std::make_unique<Predictor>(
        predictor_options(options_, memory_bytes - planned - host_bytes_));
  }

  std::int64_t planned_bytes() const {
    return executable_->plan().total_bytes() + predictor_->planned_bytes() + host_bytes_;
  }

  bool finished() const { return is_finished(options_, position_); }

  Batch batch(std::uint64_t index) const {
    const auto steps = static_cast<std::uint64_t>(steps_);
    return training_batch(parts_.training, recipe_, options_.batch, options_.seed, index / steps,
                          index % steps);
  }
  std::uint64_t next_batch() const {
    return static_cast<std::uint64_t>(position_.epoch) * static_cast<std::uint64_t>(steps_) +
           static_cast<std::uint64_t>(position_.step);
  }

  void export_batches() {
    if (options_.exported_batches == 0) {
      return;
    }
    const std::filesystem::path folder(batches_folder(options_.folder));
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
      throw_bad_input("{}: cannot be made: {}", folder.string(), error.message());
    }
    remove_batches(folder);
    save((folder / "start.safetensors").string());
    for (std::int64_t i = 0; i < options_.exported_batches; ++i) {
      write_batch((folder / fmt::format("step_{:05}.safetensors", i)).string(),
                  batch(next_batch() + static_cast<std::uint64_t>(i)));
    }
  }

  // A run() changes no persistent tensor, so that a step can be timed before it counts.
  void measure_forecast() {
    executable_->load(batch(next_batch()));
    executable_->run();
    Clock::time_point start = Clock::now();
    executable_->run();
    Forecast forecast;
    forecast.step_seconds = seconds_since(start);

    double case_seconds = 0;
    const SubjectSource& scored = parts_.validation.count > 0 ? parts_.validation : parts_.test;
    if (scored.count > 0) {
      predictor_->set_weights(read_weights(*executable_, program_));
      const Subject subject = scored.load(0, recipe_.shape.input_channels);
      predictor_->predict(subject);
      start = Clock::now();
      predictor_->predict(subject);
      case_seconds = seconds_since(start);
    }
    validation_seconds_ = case_seconds * static_cast<double>(parts_.validation.count);
    test_seconds_ = case_seconds * static_cast<double>(parts_.test.count);
    step_seconds_ = forecast.step_seconds;
    forecast.epoch_seconds =
        static_cast<double>(steps_) * forecast.step_seconds + validation_seconds_;
    forecast.test_seconds = test_seconds_;
    forecast.total_seconds = seconds_left();
    forecast.memory = training_memory(options_, program_, parts_, executable_->plan().total_bytes(),
                                      predictor_->planned_bytes());
    forecast.planned_bytes = forecast.memory.total();
    observer_.forecast(forecast);
    if (position_.forecast.step_seconds == 0) {
      position_.forecast = forecast;
    }
    // Of the epochs that are asked for now: a resumed run may go on for more.
    Forecast& first = position_.forecast;
    first.total_seconds = options_.epochs * first.epoch_seconds + first.test_seconds;
  }

  double seconds_left() const {
    const auto epochs = static_cast<double>(options_.epochs - position_.epoch);
    const double steps = epochs * static_cast<double>(steps_) - static_cast<double>(position_.step);
    return steps * step_seconds_ + epochs * validation_seconds_ + test_seconds_;
  }

  TrainingEnd train_epochs() {
    const auto steps = static_cast<std::uint64_t>(steps_);
    ReadAhead<Batch> batches([this](std::uint64_t index) { return batch(index); }, next_batch(),
                             static_cast<std::uint64_t>(options_.epochs) * steps, options_.readers,
                             batches_ahead(options_));
    last_saved_ = Clock::now();
    while (!finished()) {
      while (position_.step < steps_) {
        if (observer_.stop()) {
          save(last_checkpoint(options_.folder));
          return TrainingEnd::interrupted;
        }
        if (!step(batches)) {
          return TrainingEnd::diverged;
        }
        if (seconds_since(last_saved_) > options_.checkpoint_seconds) {
          save(last_checkpoint(options_.folder));
        }
      }
      if (const auto end = finish_epoch()) {
        return *end;
      }
      observer_.epoch(result_so_far(), seconds_left());
    }
    return TrainingEnd::done;
  }

  // False when the loss is no number: the step is not made.
  bool step(ReadAhead<Batch>& batches) {
    const Clock::time_point start = Clock::now();
    const Batch batch = batches.next();
    const double waited = seconds_since(start);
    executable_->load(batch);
    const StepResult& result = executable_->run();
    if (!std::isfinite(result.loss)) {
      return false;
    }
    executable_->update();
    Scores scores = scores_of(result.sums, options_.batch, options_.image.voxels());
    scores.loss = result.loss;
    position_.scores.add(scores);
    position_.step_losses.push_back(result.loss);
    const double seconds = seconds_since(start);
    position_.seconds += seconds;
    position_.waiting_seconds += waited;
    ++position_.step;
    step_seconds_ = position_.seconds / static_cast<double>(position_.step);
    observer_.step(position_.epoch + 1, position_.step, steps_, result.loss, seconds_left());
    return true;
  }

  // Validation, record and checkpoints. How the run ends, where it cannot go on: an epoch whose
  // weights are no numbers leaves the checkpoint before it.
  std::optional<TrainingEnd> finish_epoch() {
    EpochRecord record;
    record.epoch = position_.epoch + 1;
    record.images = steps_ * options_.batch;
    record.seconds = position_.seconds;
    record.waiting_seconds = position_.waiting_seconds;
    record.training = position_.scores.mean();
    record.step_losses = position_.step_losses;
    record.computed_by = position_.computed_by;
    if (parts_.validation.count > 0) {
      const Clock::time_point start = Clock::now();
      predictor_->set_weights(read_weights(*executable_, program_));
      ScoreMean mean;
      record.validation_waiting_seconds =
          score_cases(parts_.validation, Surfaces::no,
                      [&](const TestCase& scored) { mean.add(scored.scores); });
      if (mean.count() < static_cast<std::int64_t>(parts_.validation.count)) {
        save(last_checkpoint(options_.folder));  // goes on with this validation
        return TrainingEnd::interrupted;
      }
      record.validation = mean.mean();
      record.validation_seconds = seconds_since(start);
      validation_seconds_ = record.validation_seconds;
    }
    const double loss = record.validation ? record.validation->loss : record.training.loss;
    if (!std::isfinite(loss)) {
      return TrainingEnd::diverged;
    }
    record.best = loss < position_.best_loss;
    if (record.best) {
      position_.best_loss = loss;
      position_.best_epoch = record.epoch;
    }
    position_.epochs.push_back(std::move(record));
    ++position_.epoch;
    position_.step = 0;
    position_.scores = {};
    position_.step_losses.clear();
    position_.seconds = 0;
    position_.waiting_seconds = 0;
    position_.computed_by.clear();
    note_computing();
    // In this order: were the run to end between the two, the last one has what the best one lacks.
    save(last_checkpoint(options_.folder));
    if (position_.epochs.back().best) {
      save(best_checkpoint(options_.folder));
    }
    return std::nullopt;
  }

  // Predicts and scores the cases of a part with the predictor's weights, images read ahead, until
  // it is asked to stop. Returns the seconds that it waited for images. Surfaces take about a
  // second per label of 240x240x155: too long to be scored after every epoch.
  enum class Surfaces { no, yes };
  template <class Visit>
  double score_cases(const SubjectSource& part, Surfaces surfaces, const Visit& visit) {
    ReadAhead<Subject> subjects(
        [&](std::uint64_t index) {
          return part.load(static_cast<std::size_t>(index), recipe_.shape.input_channels);
        },
        0, part.count, options_.readers, images_ahead(options_));
    double waited = 0;
    for (std::size_t i = 0; i < part.count && !observer_.stop(); ++i) {
      const Clock::time_point start = Clock::now();
      const Subject subject = subjects.next();
      waited += seconds_since(start);
      const std::vector<float> prediction = predictor_->predict(subject);
      const std::int64_t channels = predictor_->channels();
      TestCase scored{part.case_name(i), "", subject.dims,
                      scores_of(prediction, channels, subject.dims, subject.labels)};
      if (surfaces == Surfaces::yes) {
        scored.spacing = spacing_of(part.affine(i));
        add_surface_dice(scored.scores, subject.labels,
                         hard_labels(prediction, channels, subject.dims), channels, subject.dims,
                         {scored.spacing, options_.surface_tolerance});
      }
      visit(scored);
    }
    if (had_memory_bytes_ && predictor_->tiled_for_memory()) {
      observer_.warning(
          fmt::format("--resume: there were {:.2f} GiB of memory, now there are {:.2f}: images "
                      "that fitted may be predicted in tiles, with slightly other scores",
                      gibibytes(*had_memory_bytes_), gibibytes(position_.memory_bytes)));
      had_memory_bytes_.reset();  // once
    }
    return waited;
  }

  std::vector<TestCase> score_test() {
    std::vector<TestCase> cases;
    if (parts_.test.count == 0) {
      return cases;
    }
    check_best();
    predictor_->set_weights(load_weights(best_checkpoint(options_.folder), program_));
    const std::map<std::string, std::string> files = case_files(parts_);
    score_cases(parts_.test, Surfaces::yes, [&](const TestCase& scored) {
      cases.push_back(scored);
      cases.back().file = files.at(scored.name);
      observer_.tested(scored, cases.size(), parts_.test.count);
    });
    return cases;
  }

  TrainingResult result_so_far() {
    note_peak();
    TrainingResult result;
    result.steps_per_epoch = steps_;
    result.epochs = position_.epochs;
    result.best_epoch = position_.best_epoch;
    result.forecast = position_.forecast;
    result.peak_bytes = position_.peak_bytes;
    return result;
  }

  // That this process takes part in the epoch in work.
  void note_computing() {
    Json computing = computing_json(options_);
    if (!options_.binary_sha256.empty()) {
      computing["binary_sha256"] = options_.binary_sha256;
    }
    std::vector<Json>& known = position_.computed_by;
    if (known.empty() || known.back() != computing) {
      known.push_back(std::move(computing));
    }
  }

  void note_peak() {
    position_.peak_bytes = std::max(position_.peak_bytes, observer_.peak_bytes());
  }

  void save(const std::string& path) {
    note_peak();
    const Json state = {{"options", to_json(options_)},
                        {"data", parts_.facts.identity},
                        {"computing", computing_json(options_)},
                        {"position", to_json(position_)}};
    save_checkpoint(path, program_, options_.precision,
                    {read_weights(*executable_, program_), state});
    last_saved_ = Clock::now();
  }

  const TrainingOptions& options_;
  const SubjectParts& parts_;
  TrainingObserver& observer_;
  TrainingRecipe recipe_;
  Program program_;
  std::int64_t steps_ = 0;  // per epoch
  std::int64_t host_bytes_ = 0;
  std::unique_ptr<Executable> executable_;
  std::unique_ptr<Predictor> predictor_;
  Position position_;
  std::optional<std::int64_t> had_memory_bytes_;  // the resumed run, where it was more than now
  double step_seconds_ = 0;
  double validation_seconds_ = 0;
  double test_seconds_ = 0;
  Clock::time_point last_saved_;
};

}  // namespace

std::string_view to_string(TrainingEnd end) {
  switch (end) {
    case TrainingEnd::done:
      return "done";
    case TrainingEnd::early_stop:
      return "early_stop";
    case TrainingEnd::interrupted:
      return "interrupted";
    case TrainingEnd::diverged:
      return "diverged";
  }
  throw_internal("training: no such end");
}

std::string last_checkpoint(const std::string& folder) {
  return (std::filesystem::path(folder) / "last.safetensors").string();
}

std::string best_checkpoint(const std::string& folder) {
  return (std::filesystem::path(folder) / "best.safetensors").string();
}

int epochs_of_finished(const TrainingOptions& options, const SubjectParts& parts) {
  const Position position =
      resumed_position(options, parts.facts, [](const std::string&) { /* train() tells */ });
  const bool is_whole = has_best(options, parts.facts, position);
  return is_whole && is_finished(options, position) ? position.epoch : 0;
}

TrainingResult train(const TrainingOptions& options, const SubjectParts& parts, bool resume,
                     TrainingObserver& observer) {
  return Trainer(options, parts, observer).run(resume);
}

}  // namespace voxmark

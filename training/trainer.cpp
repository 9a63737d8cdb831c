#include "training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>

#include "base/error.h"
#include "training/checkpoint.h"
#include "training/predictor.h"
#include "training/read_ahead.h"

namespace voxmark {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr int kBatchesAhead = 3;  // beyond the readers' own: decoding times vary

TrainingRecipe recipe_of(const TrainingOptions& options) {
  TrainingRecipe recipe;
  recipe.shape = {options.image, options.network.input_channels, options.network.classes};
  recipe.augment = options.augment;
  recipe.downsample = options.downsample;
  recipe.place = options.tile ? WindowPlace::anywhere : WindowPlace::near_middle;
  return recipe;
}

// Where a run stands: all that a checkpoint keeps beside the tensors.
struct Position {
  int epoch = 0;          // in work, from 0
  std::int64_t step = 0;  // of it: the next one
  ScoreMean scores;       // of its steps so far
  double seconds = 0;     // and their times
  double waiting_seconds = 0;
  std::vector<EpochRecord> epochs;  // finished
  double best_loss = std::numeric_limits<double>::infinity();
  int best_epoch = 0;  // from 1; 0: none yet
};

EpochRecord record_from_json(const Json& json) {
  EpochRecord record;
  record.epoch = json.at("epoch").get<int>();
  record.images = json.at("images").get<std::int64_t>();
  record.seconds = json.at("seconds").get<double>();
  record.waiting_seconds = json.at("waiting_seconds").get<double>();
  record.validation_seconds = json.at("validation_seconds").get<double>();
  record.training = scores_from_json(json.at("training"));
  if (!json.at("validation").is_null()) record.validation = scores_from_json(json["validation"]);
  record.best = json.at("best").get<bool>();
  return record;
}

Json to_json(const Position& position) {
  Json epochs = Json::array();
  for (const EpochRecord& record : position.epochs) epochs.push_back(voxmark::to_json(record));
  return {{"epoch", position.epoch},
          {"step", position.step},
          {"scores", position.scores.state()},
          {"seconds", position.seconds},
          {"waiting_seconds", position.waiting_seconds},
          {"epochs", std::move(epochs)},
          {"best_loss", number_to_json(position.best_loss)},
          {"best_epoch", position.best_epoch}};
}

Position position_from_json(const Json& json, const std::string& name) {
  Position position;
  position.epoch = json.at("epoch").get<int>();
  position.step = json.at("step").get<std::int64_t>();
  position.scores = ScoreMean::from_state(json.at("scores"));
  position.seconds = json.at("seconds").get<double>();
  position.waiting_seconds = json.at("waiting_seconds").get<double>();
  for (const Json& record : json.at("epochs")) position.epochs.push_back(record_from_json(record));
  position.best_loss = number_from_json(json.at("best_loss"), name);
  position.best_epoch = json.at("best_epoch").get<int>();
  return position;
}

// Options that decide what is learnt; a resumed run must have the same. `epochs` and `patience` may
// change, and so may what computes: backend, precision, threads (the losses then differ slightly).
void check_same_options(const Json& wanted, const Json& found, const std::string& name) {
  for (const auto& [key, value] : wanted.items()) {
    if (!found.contains(key) || found.at(key) != value) {
      throw_bad_input("--resume {}: made with {} {}, expected {}", name, key,
                      found.contains(key) ? dump_json(found.at(key)) : "unknown", dump_json(value));
    }
  }
}

std::string case_name(const std::string& subject_name) {
  return std::filesystem::path(subject_name).filename().string();
}

class Trainer {
 public:
  Trainer(const TrainingOptions& options, const SubjectParts& parts, TrainingObserver& observer)
      : options_(options),
        parts_(parts),
        observer_(observer),
        recipe_(recipe_of(options)),
        program_(lower(unet3d(options.network), options.batch, options.image, Mode::training)) {
    check_source(parts.training, recipe_.shape, options.batch);
    steps_ = voxmark::steps_per_epoch(options, parts);
    compile();
  }

  TrainingResult run(bool resume) {
    start(resume);
    TrainingEnd end = TrainingEnd::done;
    if (!finished()) {
      measure_forecast();
      end = train_epochs();
    }
    if (stopped_early()) end = TrainingEnd::early_stop;
    TrainingResult result = result_so_far();
    result.end = end;
    if (end == TrainingEnd::done || end == TrainingEnd::early_stop) {
      result.test = score_test();
      if (result.test.size() < parts_.test.count) result.end = TrainingEnd::interrupted;
    }
    result.prediction_tiled = predictor_->tiled_for_memory();
    result.forecast.planned_bytes = planned_bytes();
    return result;
  }

 private:
  void compile() {
    CompileOptions compile;
    compile.precision = options_.precision;
    compile.threads = options_.threads;
    compile.memory_limit_bytes = options_.memory_bytes;  // backends may trade time for memory
    if (const auto unsupported = options_.backend->unsupported(program_, compile)) {
      throw Error(ExitCode::cannot_here,
                  fmt::format("{}: {}", options_.backend->name(), unsupported->reason));
    }
    const std::int64_t planned = options_.backend->plan(program_, compile).total_bytes();
    if (planned > options_.memory_bytes) {
      throw Error(ExitCode::cannot_here,
                  fmt::format("{}: a step takes {} bytes, expected at most {}",
                              options_.backend->name(), planned, options_.memory_bytes));
    }
    executable_ = options_.backend->compile(program_, compile);
    predictor_ =
        std::make_unique<Predictor>(predictor_options(options_, options_.memory_bytes - planned));
  }

  std::int64_t planned_bytes() const {
    return executable_->plan().total_bytes() + predictor_->planned_bytes();
  }

  void start(bool resume) {
    if (!resume) {
      set_weights(*executable_, program_, initial_weights(program_, options_.seed));
      return;
    }
    const std::string path = last_checkpoint(options_.folder);
    const Checkpoint checkpoint = load_checkpoint(path, program_);
    check_same_options(voxmark::to_json(options_), checkpoint.state.at("options"), path);
    position_ = position_from_json(checkpoint.state.at("position"), path);
    set_weights(*executable_, program_, checkpoint.weights);
  }

  bool stopped_early() const {
    const auto done = static_cast<int>(position_.epochs.size());
    return options_.patience > 0 && position_.step == 0 &&
           done - position_.best_epoch >= options_.patience;
  }
  bool finished() const { return position_.epoch >= options_.epochs || stopped_early(); }

  Batch batch(std::uint64_t index) const {
    const auto steps = static_cast<std::uint64_t>(steps_);
    return training_batch(parts_.training, recipe_, options_.batch, options_.seed, index / steps,
                          index % steps);
  }

  // A run() changes no persistent tensor, so that a step can be timed before it counts.
  void measure_forecast() {
    executable_->load(batch(0));
    executable_->run();
    Clock::time_point start = Clock::now();
    executable_->run();
    forecast_.step_seconds = seconds_since(start);

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
    step_seconds_ = forecast_.step_seconds;
    forecast_.epoch_seconds =
        static_cast<double>(steps_) * forecast_.step_seconds + validation_seconds_;
    forecast_.total_seconds = seconds_left();
    forecast_.planned_bytes = planned_bytes();
    observer_.forecast(forecast_);
  }

  double seconds_left() const {
    const auto epochs = static_cast<double>(options_.epochs - position_.epoch);
    const double steps = epochs * static_cast<double>(steps_) - static_cast<double>(position_.step);
    return steps * step_seconds_ + epochs * validation_seconds_ + test_seconds_;
  }

  TrainingEnd train_epochs() {
    const auto steps = static_cast<std::uint64_t>(steps_);
    const auto first = static_cast<std::uint64_t>(position_.epoch) * steps +
                       static_cast<std::uint64_t>(position_.step);
    ReadAhead batches([this](std::uint64_t index) { return batch(index); }, first,
                      static_cast<std::uint64_t>(options_.epochs) * steps, options_.readers,
                      options_.readers + kBatchesAhead);
    last_saved_ = Clock::now();
    while (!finished()) {
      while (position_.step < steps_) {
        if (observer_.stop()) {
          save(last_checkpoint(options_.folder));
          return TrainingEnd::interrupted;
        }
        if (!step(batches)) return TrainingEnd::diverged;
        if (seconds_since(last_saved_) > options_.checkpoint_seconds && position_.step < steps_) {
          save(last_checkpoint(options_.folder));
        }
      }
      finish_epoch();
      observer_.epoch(result_so_far(), seconds_left());
    }
    return TrainingEnd::done;
  }

  // False when the loss is no number: the step is not made.
  bool step(ReadAhead& batches) {
    const Clock::time_point start = Clock::now();
    const Batch batch = batches.next();
    const double waited = seconds_since(start);
    executable_->load(batch);
    const StepResult result = executable_->run();
    if (!std::isfinite(result.loss)) return false;
    executable_->update();
    Scores scores = scores_of(result.sums, options_.batch, options_.image.voxels());
    scores.loss = result.loss;
    position_.scores.add(scores);
    const double seconds = seconds_since(start);
    position_.seconds += seconds;
    position_.waiting_seconds += waited;
    ++position_.step;
    step_seconds_ = position_.seconds / static_cast<double>(position_.step);
    observer_.step(position_.epoch + 1, position_.step, steps_, result.loss, seconds_left());
    return true;
  }

  void finish_epoch() {
    EpochRecord record;
    record.epoch = position_.epoch + 1;
    record.images = steps_ * options_.batch;
    record.seconds = position_.seconds;
    record.waiting_seconds = position_.waiting_seconds;
    record.training = position_.scores.mean();
    const Clock::time_point start = Clock::now();
    record.validation = validate();
    record.validation_seconds = seconds_since(start);
    if (record.validation) validation_seconds_ = record.validation_seconds;

    const double loss = record.validation ? record.validation->loss : record.training.loss;
    record.best = loss < position_.best_loss;
    if (record.best) {
      position_.best_loss = loss;
      position_.best_epoch = record.epoch;
    }
    position_.epochs.push_back(record);
    ++position_.epoch;
    position_.step = 0;
    position_.scores = {};
    position_.seconds = 0;
    position_.waiting_seconds = 0;
    // In this order: were the run to end between the two, it would go on before this epoch.
    if (record.best) save(best_checkpoint(options_.folder));
    save(last_checkpoint(options_.folder));
  }

  std::optional<Scores> validate() {
    if (parts_.validation.count == 0) return std::nullopt;
    predictor_->set_weights(read_weights(*executable_, program_));
    ScoreMean mean;
    for (std::size_t i = 0; i < parts_.validation.count; ++i) {
      mean.add(score(parts_.validation.load(i, recipe_.shape.input_channels)));
    }
    return mean.mean();
  }

  Scores score(const Subject& subject) {
    return scores_of(predictor_->predict(subject), predictor_->channels(), subject.dims,
                     subject.labels);
  }

  std::vector<TestCase> score_test() {
    std::vector<TestCase> cases;
    if (parts_.test.count == 0) return cases;
    predictor_->set_weights(load_weights(best_checkpoint(options_.folder), program_));
    for (std::size_t i = 0; i < parts_.test.count && !observer_.stop(); ++i) {
      const Subject subject = parts_.test.load(i, recipe_.shape.input_channels);
      cases.push_back({case_name(subject.name), subject.dims, score(subject)});
      observer_.tested(cases.back(), i + 1, parts_.test.count);
    }
    return cases;
  }

  TrainingResult result_so_far() const {
    TrainingResult result;
    result.epochs = position_.epochs;
    result.best_epoch = position_.best_epoch;
    result.forecast = forecast_;
    return result;
  }

  void save(const std::string& path) {
    const Json state = {{"options", voxmark::to_json(options_)}, {"position", to_json(position_)}};
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
  std::unique_ptr<Executable> executable_;
  std::unique_ptr<Predictor> predictor_;
  Position position_;
  Forecast forecast_;
  double step_seconds_ = 0;
  double validation_seconds_ = 0;
  double test_seconds_ = 0;
  Clock::time_point last_saved_;
};

const Json& member(const Json& json, const char* key, const std::string& name) {
  if (!json.is_object() || !json.contains(key)) {
    throw_bad_input("{}: state has no \"{}\"", name, key);
  }
  return json.at(key);
}

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

std::int64_t steps_per_epoch(const TrainingOptions& options, const SubjectParts& parts) {
  if (options.steps_per_epoch > 0) return options.steps_per_epoch;
  const auto cases = static_cast<std::int64_t>(parts.training.count);
  return (cases + options.batch - 1) / options.batch;
}

TrainingResult train(const TrainingOptions& options, const SubjectParts& parts, bool resume,
                     TrainingObserver& observer) {
  return Trainer(options, parts, observer).run(resume);
}

Json to_json(const TrainingOptions& options) {
  return {{"image", {options.image.d, options.image.h, options.image.w}},
          {"batch", options.batch},
          {"channels", options.network.input_channels},
          {"classes", options.network.classes},
          {"filters", options.network.filters},
          {"seed", options.seed},
          {"augment", options.augment},
          {"tile", options.tile},
          {"downsample", options.downsample},
          {"steps_per_epoch", options.steps_per_epoch}};
}

TrainingOptions options_from_checkpoint(const Json& state, const std::string& name) {
  const Json& json = member(state, "options", name);
  TrainingOptions options;
  try {
    const Json& image = member(json, "image", name);
    options.image = {image.at(0).get<std::int64_t>(), image.at(1).get<std::int64_t>(),
                     image.at(2).get<std::int64_t>()};
    options.batch = member(json, "batch", name).get<std::int64_t>();
    options.network.input_channels = member(json, "channels", name).get<std::int64_t>();
    options.network.classes = member(json, "classes", name).get<std::int64_t>();
    options.network.filters = member(json, "filters", name).get<std::int64_t>();
    options.seed = member(json, "seed", name).get<std::uint64_t>();
    options.augment = member(json, "augment", name).get<bool>();
    options.tile = member(json, "tile", name).get<bool>();
    options.downsample = member(json, "downsample", name).get<std::int64_t>();
    options.steps_per_epoch = member(json, "steps_per_epoch", name).get<std::int64_t>();
  } catch (const Json::exception& error) {
    throw_bad_input("{}: options: {}", name, error.what());
  }
  return options;
}

Json to_json(const EpochRecord& record) {
  return {{"epoch", record.epoch},
          {"images", record.images},
          {"seconds", record.seconds},
          {"seconds_per_image", record.seconds_per_image()},
          {"waiting_seconds", record.waiting_seconds},
          {"waiting_share", record.waiting_share()},
          {"validation_seconds", record.validation_seconds},
          {"training", to_json(record.training)},
          {"validation", record.validation ? to_json(*record.validation) : Json()},
          {"best", record.best}};
}

PredictorOptions predictor_options(const TrainingOptions& options, std::int64_t memory_bytes) {
  PredictorOptions predictor;
  predictor.backend = options.backend;
  predictor.precision = options.precision;
  predictor.threads = options.threads;
  predictor.network = options.network;
  predictor.downsample = options.downsample;
  predictor.small_tile = options.image;
  predictor.memory_bytes = memory_bytes;
  if (options.tile) {
    predictor.tile = options.image;
  } else {
    predictor.scale_window = options.image;
  }
  return predictor;
}

}  // namespace voxmark

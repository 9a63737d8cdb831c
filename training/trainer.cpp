#include "training/trainer.h"

#include <fmt/ranges.h>

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
#include "backends/ranks/rank_talk.h"
#include "base/error.h"
#include "training/checkpoint.h"
#include "training/exported_batches.h"
#include "training/host_memory.h"
#include "training/prediction/case_files.h"
#include "training/prediction/predictor.h"
#include "training/read_ahead.h"
#include "training/resumption.h"
#include "training/shared_scores.h"

namespace voxmark {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double gibibytes(std::int64_t bytes) { return std::ldexp(static_cast<double>(bytes), -30); }

class Trainer {
 public:
  Trainer(const TrainingOptions& options, const SubjectParts& parts, TrainingObserver& observer)
      : options_(options),
        parts_(parts),
        observer_(observer),
        recipe_(recipe_of(options)),
        ranks_(options.collectives),
        program_(step_program(options)),
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
    result.prediction_tiled = any_rank(ranks_, predictor_->tiled_for_memory());
    result.forecast.planned_bytes = std::max(result.forecast.planned_bytes, planned_bytes());
    return result;
  }

 private:
  void start(bool resume) {
    check_equal_ranks();
    auto memory_bytes = static_cast<std::int64_t>(
        least_of_ranks(ranks_, static_cast<double>(options_.memory_bytes)));
    Weights weights;
    if (resume) {
      resume_position();
      weights = weights_of(last_checkpoint(options_.folder));
      if (position_.memory_bytes > memory_bytes) {
        had_memory_bytes_ = position_.memory_bytes;
      }
      // With more memory, too, what was tiled stays tiled.
      memory_bytes = std::min(memory_bytes, position_.memory_bytes);
    } else {
      weights = initial_weights(program_, options_.seed);
    }
    position_.memory_bytes = memory_bytes;
    note_computing();
    for (const std::string& path :
         {last_checkpoint(options_.folder), best_checkpoint(options_.folder)}) {
      if (is_first(ranks_)) {
        remove_unfinished(path);
      }
    }
    together(ranks_, [&] {
      compile(memory_bytes);
      set_weights(*executable_, program_, weights);
    });
    if (ranks_ != nullptr) {
      expect_equal(ranks_, "set of weights", sha256_hex(program_, weights));
    }
    check_best();
  }

  // Ranks that train on other cases, or otherwise, would learn something that nobody asked for.
  void check_equal_ranks() {
    expect_equal(ranks_, "list of cases",
                 fmt::format("{} ({} {} {})", parts_.facts.identity, parts_.training.count,
                             parts_.validation.count, parts_.test.count));
    expect_equal(ranks_, "set of options",
                 dump_json(to_json(options_)) + dump_json(computing_json(options_)));
  }

  // Rank 0 alone reads checkpoints, since it alone writes them.
  void resume_position() {
    together(ranks_, [&] {
      if (is_first(ranks_)) {
        position_ = resumed_position(options_, parts_.facts, [this](const std::string& warning) {
          observer_.warning(warning);
        });
      }
    });
    const std::string position = text_of_first(ranks_, dump_json(to_json(position_)));
    if (!is_first(ranks_)) {
      position_ = position_from_json(parse_json(position, "rank 0"), "rank 0");
    }
  }

  Weights weights_of(const std::string& checkpoint) const {
    Weights weights;
    together(ranks_, [&] {
      weights = is_first(ranks_) ? load_weights(checkpoint, program_)
                                 : initial_weights(program_, options_.seed);  // to be replaced
    });
    for (auto& [name, values] : weights) {
      values_of_first(ranks_, values);
    }
    return weights;
  }

  void check_best() {
    bool is_there = true;
    together(ranks_,
             [&] { is_there = !is_first(ranks_) || has_best(options_, parts_.facts, position_); });
    if (any_rank(ranks_, !is_there)) {
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

  // Of this rank. Where `images` of each rank are a batch, its share of step s is batch
  // s * ranks + rank of as many images.
  Batch batch(std::uint64_t index) const {
    const auto steps = static_cast<std::uint64_t>(steps_);
    const auto ranks = static_cast<std::uint64_t>(options_.ranks);
    return training_batch(parts_.training, recipe_, options_.images_per_rank(), options_.seed,
                          index / steps,
                          index % steps * ranks + static_cast<std::uint64_t>(rank_of(ranks_)));
  }
  Batch whole_batch(std::uint64_t index) const {
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
    together(ranks_, [&] {
      if (is_first(ranks_)) {
        make_batches_folder(folder);
      }
    });
    save((folder / "start.safetensors").string());
    together(ranks_, [&] {
      for (std::int64_t i = 0; is_first(ranks_) && i < options_.exported_batches; ++i) {
        write_batch((folder / fmt::format("step_{:05}.safetensors", i)).string(),
                    whole_batch(next_batch() + static_cast<std::uint64_t>(i)));
      }
    });
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
      predictor_->set_weights(weights_to_score());
      const Subject subject = scored.load(0, recipe_.shape.input_channels);
      predictor_->predict(subject);
      start = Clock::now();
      predictor_->predict(subject);
      case_seconds = seconds_since(start);
    }
    validation_seconds_ = case_seconds * static_cast<double>(rounds_of(parts_.validation));
    test_seconds_ = case_seconds * static_cast<double>(rounds_of(parts_.test));
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
                             batches_ahead(options_), options_.begin_reader);
    last_saved_ = Clock::now();
    while (!finished()) {
      while (position_.step < steps_) {
        if (any_rank(ranks_, observer_.stop())) {
          save(last_checkpoint(options_.folder));
          return TrainingEnd::interrupted;
        }
        if (!step(batches)) {
          return TrainingEnd::diverged;
        }
        if (is_checkpoint_due_) {
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
    observer_.step_begins();
    const Clock::time_point begin = Clock::now();
    const StepResult& result = executable_->run();
    if (!std::isfinite(result.loss)) {
      tell_of_divergence(sums_of_all(ranks_, result.sums));
      return false;
    }
    executable_->update();
    observer_.step_ran(seconds_since(begin));
    Scores scores =
        scores_of(sums_of_all(ranks_, result.sums), options_.batch, options_.image.voxels());
    scores.loss = result.loss;
    position_.scores.add(scores);
    position_.step_losses.push_back(result.loss);
    const double seconds = seconds_since(start);
    position_.seconds += seconds;
    position_.waiting_seconds += waited;
    ++position_.step;
    step_seconds_ = position_.seconds / static_cast<double>(position_.step);
    is_checkpoint_due_ = any_rank(ranks_, seconds_since(last_saved_) > options_.checkpoint_seconds);
    observer_.step(position_.epoch + 1, position_.step, steps_, result.loss, seconds_left());
    return true;
  }

  // The loss is that of all ranks. Which images made it what it is?
  void tell_of_divergence(const std::vector<ClassSums>& sums) {
    const std::vector<int> bad = ranks_without_numbers(sums, options_.ranks);
    if (ranks_ == nullptr || bad.empty()) {
      return;
    }
    observer_.warning(fmt::format("epoch {} step {}: predictions are no numbers on rank{} {}",
                                  position_.epoch + 1, position_.step + 1,
                                  bad.size() == 1 ? "" : "s", fmt::join(bad, ", ")));
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
      predictor_->set_weights(weights_to_score());
      ScoreMean mean;
      record.validation_waiting_seconds =
          score(parts_.validation, Surfaces::no,
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

  // What validation predicts with, and a checkpoint would keep. Where each rank has statistics of
  // its own, those of rank 0 stand for the model, as in DistributedDataParallel.
  Weights weights_to_score() const {
    Weights weights = read_weights(*executable_, program_);
    if (options_.batch_norm == BatchNormOver::own_images) {
      for (const TensorInfo& tensor : program_.tensors) {
        if (tensor.role == TensorRole::moving_statistic) {
          values_of_first(ranks_, weights.at(tensor.name));
        }
      }
    }
    return weights;
  }

  std::size_t rounds_of(const SubjectSource& part) const {
    return cases_of_rank(part.count, 0, options_.ranks);
  }

  double score(const SubjectSource& part, Surfaces surfaces,
               const std::function<void(const TestCase&)>& visit) {
    const double waited = score_cases(options_, part, surfaces, *predictor_, observer_, visit);
    if (had_memory_bytes_ && any_rank(ranks_, predictor_->tiled_for_memory())) {
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
    predictor_->set_weights(weights_of(best_checkpoint(options_.folder)));
    const std::map<std::string, std::string> files = case_files(parts_);
    score(parts_.test, Surfaces::yes, [&](const TestCase& scored) {
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
    const double peak = most_of_ranks(ranks_, static_cast<double>(observer_.peak_bytes()));
    position_.peak_bytes = std::max(position_.peak_bytes, static_cast<std::int64_t>(peak));
  }

  // Rank 0 writes.
  void save(const std::string& path) {
    note_peak();
    together(ranks_, [&] {
      if (is_first(ranks_)) {
        write_checkpoint(path);
      }
    });
    last_saved_ = Clock::now();
  }

  void write_checkpoint(const std::string& path) const {
    const Json state = {{"options", to_json(options_)},
                        {"data", parts_.facts.identity},
                        {"computing", computing_json(options_)},
                        {"position", to_json(position_)}};
    save_checkpoint(path, program_, options_.precision,
                    {read_weights(*executable_, program_), state});
  }

  const TrainingOptions& options_;
  const SubjectParts& parts_;
  TrainingObserver& observer_;
  TrainingRecipe recipe_;
  Collectives* ranks_;  // null: this process is alone
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
  bool is_checkpoint_due_ = false;
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

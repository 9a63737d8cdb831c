#include "tools/voxmark/train_screen.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdio>

#include "base/number_text.h"
#include "base/shell_word.h"
#include "base/tell.h"
#include "benches/process/interrupt.h"
#include "benches/process/process_status.h"
#include "benches/run/progress.h"
#include "tools/voxmark/train_folder.h"
#include "tools/voxmark/train_report.h"
#include "training/moving_statistics.h"

namespace voxmark {
namespace {

std::string dice_text(const Scores& scores) {
  std::string text = fmt::format("Dice {:.4f}", scores.mean_hard_dice());
  if (scores.hard_dice.size() > 1) {
    text += fmt::format(" ({:.3f})", fmt::join(scores.hard_dice, ", "));
    if (scores.whole_dice) {
      text += fmt::format(" whole {:.4f}", *scores.whole_dice);
    }
  }
  return text;
}

// ", surface Dice 0.9312 at 1 mm"
std::string surfaces_text(const Scores& scores, const TrainFlags& flags) {
  const std::string text = surface_text(scores, flags.training.surface_tolerance);
  return text.empty() ? "" : ", " + text;
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
  if (!record.best) {
    return "";
  }
  return record.validation ? " (best)" : " (lowest training loss)";
}

// How far the scores of an epoch's end are those of the moving statistics' start.
std::string start_text(std::int64_t steps) {
  const double share = share_of_the_start(steps);
  if (share <= kMostOfTheStart) {
    return "";
  }
  return fmt::format(" ({:.0f}% of the moving statistics is still their start)", 100 * share);
}

}  // namespace

TrainScreen::TrainScreen(const TrainFlags& flags, const Json& frame)
    : flags_(flags),
      frame_(frame),
      terminal_(flags.rank_threads > 0 ? flags.terminal : isatty(STDERR_FILENO) == 1) {}

TrainScreen::~TrainScreen() { clear_line(); }

void TrainScreen::clear_line() const {
  if (terminal_) {
    tell(stderr, "\r\033[K");
  }
}

void TrainScreen::warning(const std::string& text) {
  clear_line();
  tell(stderr, "warning: {}\n", text);
}

bool TrainScreen::stop() { return pending_interrupt() != 0; }

std::int64_t TrainScreen::peak_bytes() { return process_bytes(0, "VmHWM").value_or(0); }

void TrainScreen::forecast(const Forecast& forecast) {
  // Not before all that might refuse the run has been asked.
  if (flags_.overwrite) {
    remove_run(flags_);
  }
  tell(stderr,
       "predicted: {:.3g} s per step, {} per epoch, {} in all; {} of memory planned{}: {}\n",
       forecast.step_seconds, human_seconds(forecast.epoch_seconds),
       human_seconds(forecast.total_seconds), bytes_text(forecast.planned_bytes),
       flags_.ranks > 1 ? " by each rank" : "", to_string(forecast.memory));
}

void TrainScreen::step(int epoch, std::int64_t step, std::int64_t steps, double loss,
                       double seconds_left) {
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::duration<double> silence = now - last_line_;
  if (!terminal_ && (silence.count() < flags_.progress_seconds || step == steps)) {
    return;
  }
  last_line_ = now;
  tell(stderr, "{}epoch {} step {}/{}: loss {:.4f}; about {} left{}", terminal_ ? "\r\033[K" : "",
       epoch, step, steps, loss, human_seconds(seconds_left), terminal_ ? "" : "\n");
  std::fflush(stderr);
}

void TrainScreen::epoch(const TrainingResult& so_far, double seconds_left) {
  const EpochRecord& record = so_far.epochs.back();
  clear_line();
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

void TrainScreen::tested(const TestCase& scored, std::size_t number, std::size_t count) {
  tell(stdout, "test {}/{}: {} {}: {}{}\n", number, count, scored.name, to_string(scored.dims),
       dice_text(scored.scores), surfaces_text(scored.scores, flags_));
}

void TrainScreen::write(const TrainingResult& result, const Json& end) const {
  clear_line();
  write_reports(flags_, report_of(frame_, result, end, flags_.training.surface_tolerance));
}

void print_next_step(const TrainFlags& flags) {
  if (flags.preset.empty()) {
    return;
  }
  fmt::print("voxmark reproduce --training {} judges it by the paper\n",
             shell_word(file_in(flags, "training.json")));
}

void print_end(const TrainingResult& result, const TrainFlags& flags) {
  if (!result.test.empty()) {
    ScoreMean mean;
    for (const TestCase& scored : result.test) {
      mean.add(scored.scores);
    }
    const Scores scores = mean.mean();
    fmt::print("test, {} cases, weights of epoch {}: {}{}\n", result.test.size(), result.best_epoch,
               scores_text(scores), surfaces_text(scores, flags));
  }
  print_next_step(flags);
  fmt::print("{} after {} epochs; report in {}\n", to_string(result.end), result.epochs.size(),
             file_in(flags, "training.json"));
}

}  // namespace voxmark

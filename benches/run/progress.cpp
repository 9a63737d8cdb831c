#include "benches/run/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

#include "base/tell.h"
#include "results/tables/slow_kernels.h"
#include "results/tables/summary.h"

namespace voxmark {
namespace {

// The median of what was timed, or why nothing was.
std::string figure(const Record& record) {
  const std::optional<double> seconds = publishes_times(record.outcome)
                                            ? process_seconds(record, &StepTimes::step_seconds)
                                            : std::nullopt;
  const std::string outcome(to_string(record.outcome));
  if (!seconds) {
    return outcome + ": " + record.reason.value_or("");
  }
  const std::string median = fmt::format("{:.4g} s/step", *seconds);
  return record.outcome == Outcome::ok ? median : median + " (" + outcome + ")";
}

std::string case_text(const CaseSpec& spec) {
  return fmt::format("{}, process {}: ", describe(spec), spec.process);
}

}  // namespace

Progress::Progress(std::FILE* stream, std::size_t cases, std::chrono::milliseconds heartbeat)
    : stream_(stream), terminal_(isatty(fileno(stream)) == 1), cases_(cases) {
  // Signals are for the thread that waits for children: it is to wake up by them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  heart_ = std::thread([this, heartbeat] { beat(heartbeat); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Progress::~Progress() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_one();
  heart_.join();
  ended();  // of an error, too, is told on a line of its own
}

void Progress::beat(std::chrono::milliseconds heartbeat) {
  std::unique_lock lock(mutex_);
  while (!stopped_.wait_for(lock, heartbeat, [this] { return stop_; })) {
    const auto taken = std::chrono::steady_clock::now() - since_;
    if (!under_way_.empty() && taken >= heartbeat) {
      const double seconds = std::chrono::duration<double>(taken).count();
      show(fmt::format("{}, {} so far", under_way_, human_seconds(seconds)), false);
    }
  }
}

void Progress::show(const std::string& text, bool last) {
  const std::string line = fmt::format("[{}/{}] {}", finished_ + (last ? 0 : 1), cases_, text);
  if (terminal_) {
    tell(stream_, "\r\033[K{}{}", line, last ? "\n" : "");
  } else {
    tell(stream_, "{}\n", line);
  }
  std::fflush(stream_);
}

void Progress::begin(const CaseSpec& spec, const std::string& text) {
  under_way_ = case_text(spec) + text;
  since_ = std::chrono::steady_clock::now();
  steps_ = 0;
  show(under_way_, false);
}

void Progress::verifying(const CaseSpec& spec) {
  const std::lock_guard lock(mutex_);
  begin(spec, "verifying against naive in double");
}

void Progress::timing(const CaseSpec& spec, std::optional<double> predicted_seconds) {
  const std::lock_guard lock(mutex_);
  const std::string guess =
      predicted_seconds ? ", about " + human_seconds(*predicted_seconds) : std::string();
  begin(spec, fmt::format("{} + {} steps{}", spec.warmup, spec.steps, guess));
}

void Progress::step(const CaseSpec& spec, const StepMessage& step) {
  const std::lock_guard lock(mutex_);
  const int all = spec.warmup + spec.steps;
  const int earlier = steps_ / all;  // processes that were disturbed: the case begins anew
  const int number = steps_++ % all + 1;
  const std::string anew = earlier > 0 ? fmt::format("again after {} disturbed, ", earlier) : "";
  under_way_ = case_text(spec) +
               fmt::format("{}step {} of {}: {:.4g} s", anew, number, all, step.step_seconds);
  if (terminal_) {
    show(under_way_, false);
  }
}

void Progress::finished(const CaseSpec& spec, const Record& record,
                        std::optional<double> seconds_left) {
  const std::lock_guard lock(mutex_);
  ++finished_;
  under_way_.clear();
  if (record.outcome == Outcome::skipped && is_quiet_of_skipped_) {
    return;
  }
  std::string left;
  if (finished_ < cases_) {
    left =
        seconds_left ? "; about " + human_seconds(*seconds_left) + " left" : "; time left unknown";
  }
  show(case_text(spec) + figure(record) + left, true);
  const std::string slow = slow_kernels(record);
  if (!slow.empty() && spec.process == 0) {
    tell(stream_, "Warning: {}: {}\n", describe(spec), slow);
    std::fflush(stream_);
  }
}

void Progress::leave_out_skipped() {
  const std::lock_guard lock(mutex_);
  is_quiet_of_skipped_ = true;
}

void Progress::added(std::size_t processes) {
  const std::lock_guard lock(mutex_);
  cases_ += processes;
}

void Progress::resumed(std::size_t processes, std::size_t more) {
  const std::lock_guard lock(mutex_);
  finished_ += processes;
  cases_ += more;
}

void Progress::ended() {
  const std::lock_guard lock(mutex_);
  if (terminal_ && !under_way_.empty()) {
    tell(stream_, "\r\033[K");
    std::fflush(stream_);
  }
  under_way_.clear();
}

void Progress::warn(const std::string& text) {
  tell(stream_, "{}Warning: {}\n", terminal_ ? "\r\033[K" : "", text);
  std::fflush(stream_);
}

std::string human_seconds(double seconds) {
  if (seconds < 100) {
    return fmt::format("{:.0f} s", seconds);
  }
  if (seconds < 6000) {
    return fmt::format("{:.0f} min", seconds / 60);
  }
  constexpr double kHour = 3600, kDay = 24 * kHour;
  return seconds < 2 * kDay ? fmt::format("{:.1f} h", seconds / kHour)
                            : fmt::format("{:.1f} days", seconds / kDay);
}

}  // namespace voxmark

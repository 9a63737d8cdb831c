#include "tools/voxmark/predict_progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/tell.h"
#include "benches/run/progress.h"

namespace voxmark {

PredictProgress::PredictProgress(std::FILE* stream, std::size_t cases,
                                 std::chrono::milliseconds heartbeat)
    : stream_(stream), terminal_(isatty(fileno(stream)) == 1), cases_(cases) {
  heart_ = std::jthread([this, heartbeat](const std::stop_token& stop) { beat(stop, heartbeat); });
}

PredictProgress::~PredictProgress() {
  const std::lock_guard lock(mutex_);
  clear();
}

void PredictProgress::clear() {
  name_.clear();
  if (terminal_) {
    tell(stream_, "\r\033[K");
  }
  std::fflush(stream_);
}

void PredictProgress::beat(const std::stop_token& stop, std::chrono::milliseconds heartbeat) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    stopped_.wait_for(lock, stop, heartbeat, [] { return false; });
    const bool silent = Clock::now() - shown_ >= heartbeat;
    if (!stop.stop_requested() && !name_.empty() && silent) {
      show();
    }
  }
}

std::string PredictProgress::line() const {
  const auto seconds = [](Clock::duration taken) {
    return std::chrono::duration<double>(taken).count();
  };
  std::string text = fmt::format("[{}/{}] {}: ", finished_ + 1, cases_, name_);
  if (what_.empty()) {
    return text + "reading";
  }
  text += fmt::format("predicting {}", what_);
  if (tiles_ > 1) {
    text += fmt::format(", {} of {} tiles done", tiles_done_, tiles_);
  }
  const Clock::time_point now = Clock::now();
  text += fmt::format(", {} so far", human_seconds(seconds(now - since_)));
  const double part =
      tiles_ > 0 ? static_cast<double>(tiles_done_) / static_cast<double>(tiles_) : 0;
  const double done = static_cast<double>(finished_) + part;
  if (done > 0) {
    const double left = static_cast<double>(cases_) - done;
    text += fmt::format("; about {} left", human_seconds(seconds(now - start_) / done * left));
  }
  return text;
}

void PredictProgress::show() {
  shown_ = Clock::now();
  tell(stream_, "{}{}{}", terminal_ ? "\r\033[K" : "", line(), terminal_ ? "" : "\n");
  std::fflush(stream_);
}

void PredictProgress::reading(const std::string& name) {
  const std::lock_guard lock(mutex_);
  name_ = name;
  what_.clear();
  tiles_done_ = tiles_ = 0;
  since_ = Clock::now();
  if (terminal_ || finished_ == 0) {
    show();
  }
}

void PredictProgress::predicting(const std::string& what) {
  const std::lock_guard lock(mutex_);
  what_ = what;
  if (terminal_) {
    show();
  }
}

void PredictProgress::tile(std::int64_t done, std::int64_t all) {
  const std::lock_guard lock(mutex_);
  tiles_done_ = done;
  tiles_ = all;
  if (terminal_) {
    show();
  }
}

void PredictProgress::warn(const std::string& text) { say("warning: " + text); }

void PredictProgress::say(const std::string& text) {
  const std::lock_guard lock(mutex_);
  tell(stream_, "{}{}\n", terminal_ ? "\r\033[K" : "", text);
  if (terminal_) {
    show();
  }
}

void PredictProgress::finished() {
  const std::lock_guard lock(mutex_);
  ++finished_;
  clear();
}

}  // namespace voxmark

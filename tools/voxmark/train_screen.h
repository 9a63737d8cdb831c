// What a training run leaves to be seen while it goes on: lines on the screen, its report on the
// disk. An earlier run that --overwrite gives up is removed at the forecast.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/json.h"
#include "tools/voxmark/train_flags.h"

namespace voxmark {

// Prints lines, and keeps the report on the disk up to date.
class TrainScreen : public TrainingObserver {
 public:
  TrainScreen(const TrainFlags& flags, const Json& frame);
  // Whoever tells of an error finds the terminal's line empty.
  ~TrainScreen() override;
  TrainScreen(const TrainScreen&) = delete;
  TrainScreen& operator=(const TrainScreen&) = delete;

  void warning(const std::string& text) override;
  void forecast(const Forecast& forecast) override;
  void step(int epoch, std::int64_t step, std::int64_t steps, double loss,
            double seconds_left) override;
  void epoch(const TrainingResult& so_far, double seconds_left) override;
  void tested(const TestCase& scored, std::size_t number, std::size_t count) override;
  bool stop() override;
  std::int64_t peak_bytes() override;
  // `end`: null while the run goes on. Whatever is printed next begins a line.
  void write(const TrainingResult& result, const Json& end) const;

 private:
  // Of a step that is under way, on a terminal.
  void clear_line() const;

  const TrainFlags& flags_;
  const Json& frame_;
  bool terminal_;
  std::chrono::steady_clock::time_point last_line_ = std::chrono::steady_clock::now();
};

// What judges a run of the paper's preset; nothing for others.
void print_next_step(const TrainFlags& flags);

void print_end(const TrainingResult& result, const TrainFlags& flags);

}  // namespace voxmark

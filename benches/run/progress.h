// What a person sees while cases run: a line per case, with an estimate of what is left, and a sign
// of life while one takes long.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "benches/run/runner.h"

namespace voxmark {

class Progress : public RunObserver {
 public:
  // Writes to `stream`; on a terminal each step shows too, on a line that is written over. What is
  // under way shows again every `heartbeat`, with the time that it has taken.
  Progress(std::FILE* stream, std::size_t cases,
           std::chrono::milliseconds heartbeat = std::chrono::seconds(10));
  ~Progress() override;
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // From now on no line for a case that is skipped.
  void leave_out_skipped();

  void verifying(const CaseSpec& spec) override;
  void timing(const CaseSpec& spec, std::optional<double> predicted_seconds) override;
  void step(const CaseSpec& spec, const StepMessage& step) override;
  void finished(const CaseSpec& spec, const Record& record,
                std::optional<double> seconds_left) override;
  void added(std::size_t processes) override;
  void resumed(std::size_t processes, std::size_t more) override;
  void warn(const std::string& text) override;
  void ended() override;

 private:
  // Stays when `last`; else the next text takes its place, on a terminal.
  void show(const std::string& text, bool last);
  // What is under way from now on.
  void begin(const CaseSpec& spec, const std::string& text);
  void beat(std::chrono::milliseconds heartbeat);

  std::FILE* stream_;
  bool is_quiet_of_skipped_ = false;
  bool terminal_;
  std::size_t cases_;
  std::size_t finished_ = 0;
  int steps_ = 0;  // of the running case, those of disturbed processes too

  std::mutex mutex_;  // of all above and below, but for what never changes
  std::condition_variable stopped_;
  bool stop_ = false;
  std::string under_way_;  // "" between cases
  std::chrono::steady_clock::time_point since_;
  std::thread heart_;
};

// "45 s", "12 min", "3.5 h", "28.5 days"
std::string human_seconds(double seconds);

}  // namespace voxmark

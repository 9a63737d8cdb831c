// What a person sees while images are predicted: which one, how far it is, what is left.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>

namespace voxmark {

class PredictProgress {
 public:
  // Writes to `stream`: on a terminal a line that is written over; else a line at the beginning and
  // one every `heartbeat` while an image takes as long.
  PredictProgress(std::FILE* stream, std::size_t cases,
                  std::chrono::milliseconds heartbeat = std::chrono::seconds(10));
  // Whoever tells of an error finds the terminal's line empty.
  ~PredictProgress();
  PredictProgress(const PredictProgress&) = delete;
  PredictProgress& operator=(const PredictProgress&) = delete;

  void reading(const std::string& name);
  // `what`: the extents of its image.
  void predicting(const std::string& what);
  void tile(std::int64_t done, std::int64_t all);
  // A line that stays.
  void say(const std::string& text);
  void warn(const std::string& text);
  // The image is done; the terminal's line is free for others.
  void finished();

 private:
  using Clock = std::chrono::steady_clock;

  void beat(const std::stop_token& stop, std::chrono::milliseconds heartbeat);
  void show();
  void clear();  // from now on nothing is under way
  std::string line() const;

  std::FILE* stream_;
  bool terminal_;
  std::size_t cases_;

  std::mutex mutex_;  // of all below
  std::condition_variable_any stopped_;
  std::size_t finished_ = 0;
  std::string name_;  // "" between images
  std::string what_;
  std::int64_t tiles_done_ = 0;
  std::int64_t tiles_ = 0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point since_ = start_;  // the image under way
  Clock::time_point shown_ = start_;
  std::jthread heart_;  // last: it uses the others
};

}  // namespace voxmark

// Batches made by threads while the step before computes, handed out in order.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "workloads/batch.h"

namespace voxmark {

class ReadAhead {
 public:
  // `make(index)` makes batch `index`, for first <= index < end, in any order and in several
  // threads at once. At most `depth` batches are held or in the making.
  ReadAhead(std::function<Batch(std::uint64_t)> make, std::uint64_t first, std::uint64_t end,
            int threads, int depth);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // The next batch. Throws what `make` threw for it. Not to be called past the end.
  Batch next();

 private:
  struct Made {
    Batch batch;
    std::exception_ptr failure;
  };

  void work();

  const std::function<Batch(std::uint64_t)> make_;
  const std::uint64_t end_;
  const std::uint64_t depth_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t wanted_;   // index of what next() returns
  std::uint64_t claimed_;  // the first index that no thread has taken on
  bool stopping_ = false;
  std::map<std::uint64_t, Made> made_;
  std::vector<std::thread> threads_;
};

}  // namespace voxmark

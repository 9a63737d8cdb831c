// Items (batches, images) made by threads while the one before is computed with, handed out in
// order.
#pragma once

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace voxmark {

template <class Item>
class ReadAhead {
 public:
  // `make(index)` makes item `index`, for first <= index < end, in any order and in several threads
  // at once. At most `depth` items are held or in the making. Threads that the system
  // refuses are done without: where it gives none, next() makes the items itself. `begin`: what
  // each thread does first.
  ReadAhead(std::function<Item(std::uint64_t)> make, std::uint64_t first, std::uint64_t end,
            int threads, int depth, const std::function<void()>& begin = {})
      : make_(std::move(make)),
        end_(end),
        depth_(static_cast<std::uint64_t>(std::max(depth, 1))),
        wanted_(first),
        claimed_(first) {
    try {
      for (int i = 0; i < std::max(threads, 1); ++i) {
        threads_.emplace_back([this, begin] {
          if (begin) {
            begin();
          }
          work();
        });
      }
    } catch (const std::system_error&) {
      // Fewer than asked for do as well.
    }
  }
  ~ReadAhead() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // The next item. Throws what `make` threw for it. Not to be called past the end.
  Item next() {
    std::unique_lock lock(mutex_);
    assert(wanted_ < end_);
    if (threads_.empty()) {
      return make_(wanted_++);
    }
    changed_.wait(lock, [this] { return made_.contains(wanted_); });
    Made made = std::move(made_.extract(wanted_).mapped());
    ++wanted_;
    lock.unlock();
    changed_.notify_all();
    if (made.failure) {
      std::rethrow_exception(made.failure);
    }
    return std::move(made.item);
  }

 private:
  struct Made {
    Item item;
    std::exception_ptr failure;
  };

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(
          lock, [this] { return stopping_ || claimed_ >= end_ || claimed_ - wanted_ < depth_; });
      if (stopping_ || claimed_ >= end_) {
        return;
      }
      const std::uint64_t index = claimed_++;
      lock.unlock();
      Made made;
      try {
        made.item = make_(index);
      } catch (...) {
        made.failure = std::current_exception();
      }
      lock.lock();
      made_.emplace(index, std::move(made));
      changed_.notify_all();
    }
  }

  const std::function<Item(std::uint64_t)> make_;
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

#include "training/read_ahead.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace voxmark {

ReadAhead::ReadAhead(std::function<Batch(std::uint64_t)> make, std::uint64_t first,
                     std::uint64_t end, int threads, int depth)
    : make_(std::move(make)),
      end_(end),
      depth_(static_cast<std::uint64_t>(std::max(depth, 1))),
      wanted_(first),
      claimed_(first) {
  for (int i = 0; i < std::max(threads, 1); ++i) threads_.emplace_back([this] { work(); });
}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ReadAhead::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock,
                  [this] { return stopping_ || claimed_ >= end_ || claimed_ - wanted_ < depth_; });
    if (stopping_ || claimed_ >= end_) return;
    const std::uint64_t index = claimed_++;
    lock.unlock();
    Made made;
    try {
      made.batch = make_(index);
    } catch (...) {
      made.failure = std::current_exception();
    }
    lock.lock();
    made_.emplace(index, std::move(made));
    changed_.notify_all();
  }
}

Batch ReadAhead::next() {
  std::unique_lock lock(mutex_);
  assert(wanted_ < end_);
  changed_.wait(lock, [this] { return made_.contains(wanted_); });
  Made made = std::move(made_.extract(wanted_).mapped());
  ++wanted_;
  lock.unlock();
  changed_.notify_all();
  if (made.failure) std::rethrow_exception(made.failure);
  return std::move(made.batch);
}

}  // namespace voxmark

#include "benches/ranks/message_collectives.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <chrono>
#include <utility>

namespace voxmark {
namespace {

using Clock = std::chrono::steady_clock;

// Statistics travel in the computing thread, gradients in their own.
constexpr int kWaiting = 0;
constexpr int kBehind = 1;

std::atomic<int> waiting{0};

class Waiting {
 public:
  Waiting() { ++waiting; }
  ~Waiting() { --waiting; }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

MessageCollectives::MessageCollectives(const VoxmarkMpi& mpi, int rank, int ranks)
    : mpi_(mpi),
      rank_(rank),
      ranks_(ranks),
      bytes_(static_cast<std::size_t>(ranks)),
      offsets_(static_cast<std::size_t>(ranks)),
      thread_([this] { exchange_gradients(); }) {}

MessageCollectives::~MessageCollectives() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void MessageCollectives::gather(ExchangeKind kind, std::span<const double> own,
                                std::span<double> all) {
  assert(all.size() == own.size() * static_cast<std::size_t>(ranks_));
  const Waiting waiting_now;
  const Clock::time_point start = Clock::now();
  mpi_.gather(kWaiting, own.data(), static_cast<int>(own.size_bytes()), all.data());
  while (mpi_.done(kWaiting) == 0) {
    sched_yield();  // the core may be shared with the thread of gradients, or with another rank
  }
  times_.bytes_sent += static_cast<double>(own.size_bytes()) * (ranks_ - 1);
  book(kind, seconds_since(start));
}

void MessageCollectives::book(ExchangeKind kind, double seconds) {
  (kind == ExchangeKind::statistics ? times_.statistics
   : kind == ExchangeKind::loss     ? times_.loss
                                    : times_.gradients) += seconds;
  times_.waits.push_back(seconds);
}

void MessageCollectives::enqueue(Values values) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(values);
  }
  changed_.notify_all();
}

bool MessageCollectives::is_waiting() { return waiting > 0; }

void MessageCollectives::wait() {
  const Waiting waiting_now;
  const Clock::time_point start = Clock::now();
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return queue_.empty(); });
  }
  book(ExchangeKind::gradients, seconds_since(start));
}

ExchangeTimes MessageCollectives::take_times() {
  ExchangeTimes taken = std::exchange(times_, {});
  const std::lock_guard lock(mutex_);
  taken.gradient_messages = std::exchange(message_seconds_, 0);
  taken.bytes_sent += std::exchange(message_bytes_, 0);
  return taken;
}

void MessageCollectives::exchange_gradients() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
    if (queue_.empty()) {
      return;
    }
    const Values values = queue_.front();
    lock.unlock();
    const Clock::time_point start = Clock::now();
    std::visit([this](auto span) { sum(span); }, values);
    const double seconds = seconds_since(start);
    lock.lock();
    message_seconds_ += seconds;
    queue_.pop_front();
    if (queue_.empty()) {
      changed_.notify_all();
    }
  }
}

template <class T>
void MessageCollectives::sum(std::span<T> values) {
  const auto first_of = [&](int rank) {  // of the share of a rank
    return values.size() * static_cast<std::size_t>(rank) / static_cast<std::size_t>(ranks_);
  };
  for (int r = 0; r < ranks_; ++r) {
    const std::size_t i = static_cast<std::size_t>(r);
    offsets_[i] = static_cast<int>(first_of(r) * sizeof(T));
    bytes_[i] = static_cast<int>((first_of(r + 1) - first_of(r)) * sizeof(T));
  }
  const std::size_t own = first_of(rank_ + 1) - first_of(rank_);
  received_.resize(std::max(received_.size(), own * static_cast<std::size_t>(ranks_) * sizeof(T)));

  // While others compute on this core, asking again and again would take their time.
  const auto until_done = [this] {
    constexpr std::chrono::microseconds kPause{20};
    while (mpi_.done(kBehind) == 0) {
      std::this_thread::sleep_for(kPause);
    }
  };
  mpi_.scatter(kBehind, values.data(), bytes_.data(), offsets_.data(), received_.data());
  until_done();
  const T* shares = reinterpret_cast<const T*>(received_.data());
  T* sums = values.data() + first_of(rank_);
  for (std::size_t i = 0; i < own; ++i) {
    double total = 0;
    for (int r = 0; r < ranks_; ++r) {
      total += static_cast<double>(shares[static_cast<std::size_t>(r) * own + i]);
    }
    sums[i] = static_cast<T>(total);
  }
  mpi_.collect(kBehind, values.data(), bytes_.data(), offsets_.data());
  until_done();
  const std::lock_guard lock(mutex_);
  message_bytes_ += static_cast<double>((values.size() - own) * sizeof(T)) +
                    static_cast<double>(own * sizeof(T)) * (ranks_ - 1);
}

}  // namespace voxmark

#include "benches/ranks/message_collectives.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <chrono>
#include <exception>

#include "base/error.h"

namespace voxmark {
namespace {

using Clock = std::chrono::steady_clock;

// Statistics travel in the computing thread, gradients in their own.
constexpr int kWaiting = 0;
constexpr int kBehind = 1;

std::atomic<int> waiting{0};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Adds to `values`, which are rank `own`'s, those of the others: shares, (ranks, values.size()). In
// double, in the order of ranks, for many values at once.
template <class T>
void add_shares(const T* shares, int ranks, int own, std::span<T> values) {
  constexpr std::size_t kAtOnce = 512;
  std::array<double, kAtOnce> totals;
  for (std::size_t begin = 0; begin < values.size(); begin += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, values.size() - begin);
    totals.fill(0);
    for (int r = 0; r < ranks; ++r) {
      const T* share =
          (r == own ? values.data() : shares + static_cast<std::size_t>(r) * values.size()) + begin;
      for (std::size_t i = 0; i < count; ++i) {
        totals[i] += static_cast<double>(share[i]);
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      values[begin + i] = static_cast<T>(totals[i]);
    }
  }
}

}  // namespace

Waiting::Waiting() { ++waiting; }
Waiting::~Waiting() { --waiting; }

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
    stopped_ = true;  // also where others are gone, and a message will never be done
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
  const std::lock_guard lock(mutex_);
  times_.bytes_sent += static_cast<double>(own.size_bytes()) * (ranks_ - 1);
  book(kind, seconds_since(start));
}

void MessageCollectives::broadcast(std::span<std::byte> values) {
  constexpr std::size_t kMost = std::size_t{1} << 27U;  // of one message: MPI counts bytes as int
  const Waiting waiting_now;
  while (!values.empty()) {
    const std::span<std::byte> part = values.first(std::min(kMost, values.size()));
    mpi_.broadcast(part.data(), static_cast<int>(part.size()));
    values = values.subspan(part.size());
  }
}

void MessageCollectives::book(ExchangeKind kind, double seconds) {
  switch (kind) {
    case ExchangeKind::statistics:
      times_.statistics += seconds;
      break;
    case ExchangeKind::loss:
      times_.loss += seconds;
      break;
    case ExchangeKind::gradients:
      times_.gradients += seconds;
      break;
  }
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
    changed_.wait(lock, [this] { return summed_ == queue_.size(); });
    queue_.clear();
    summed_ = 0;
  }
  book(ExchangeKind::gradients, seconds_since(start));
}

void MessageCollectives::abandon() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !is_summing_; });
  queue_.clear();
  summed_ = 0;
}

void MessageCollectives::forget_times() {
  times_.statistics = times_.loss = times_.gradients = times_.bytes_sent = 0;
  times_.waits.clear();  // which keeps their memory: a step allocates nothing
  times_.messages.clear();
}

void MessageCollectives::exchange_gradients() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopped_ || summed_ < queue_.size(); });
    if (stopped_) {
      return;
    }
    const Values values = queue_[summed_];
    is_summing_ = true;
    lock.unlock();
    const Clock::time_point start = Clock::now();
    try {
      std::visit([this](auto span) { sum(span); }, values);
    } catch (const std::exception& error) {  // no memory for a message: nobody can go on
      fmt::print(stderr, "voxmark: gradients of rank {}: {}\n", rank_, error.what());
      mpi_.abort(static_cast<int>(ExitCode::internal));
    }
    const double seconds = seconds_since(start);
    lock.lock();
    is_summing_ = false;
    if (stopped_) {
      changed_.notify_all();
      return;
    }
    times_.messages.push_back(seconds);
    if (++summed_ == queue_.size()) {
      changed_.notify_all();
    }
  }
}

// While others compute on this core, asking again and again would take their time: the longer it
// lasts, the longer the pause. Nobody computes while this rank waits.
bool MessageCollectives::is_done_unless_stopped() const {
  constexpr double kShareOfElapsed = 1.0 / 16;
  constexpr double kShortest = 20e-6, kLongest = 1e-3;  // seconds
  const Clock::time_point start = Clock::now();
  while (mpi_.done(kBehind) == 0 && !stopped_) {
    const double pause =
        is_waiting() ? kShortest
                     : std::clamp(seconds_since(start) * kShareOfElapsed, kShortest, kLongest);
    std::this_thread::sleep_for(std::chrono::duration<double>(pause));
  }
  return !stopped_;
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
  mpi_.scatter(kBehind, values.data(), bytes_.data(), offsets_.data(), received_.data());
  if (!is_done_unless_stopped()) {
    return;
  }
  add_shares(reinterpret_cast<const T*>(received_.data()), ranks_, rank_,
             values.subspan(first_of(rank_), own));
  mpi_.collect(kBehind, values.data(), bytes_.data(), offsets_.data());
  if (!is_done_unless_stopped()) {
    return;
  }
  const std::lock_guard lock(mutex_);
  times_.bytes_sent += static_cast<double>((values.size() - own) * sizeof(T)) +
                       static_cast<double>(own * sizeof(T)) * (ranks_ - 1);
}

}  // namespace voxmark

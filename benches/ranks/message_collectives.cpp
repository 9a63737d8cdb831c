#include "benches/ranks/message_collectives.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <chrono>
#include <exception>
#include <utility>

#include "base/error.h"

namespace voxmark {
namespace {

// Statistics travel in the computing thread, gradients in their own, whose sums come back while the
// next shares go out.
constexpr int kWaiting = 0;
constexpr int kScattering = 1;
constexpr int kCollecting = 2;

// A rank's share of a piece of a message. Up to 64 KiB, with a header, Open MPI sends over TCP at
// once. What is larger waits for the other rank's consent, behind what travels the other way. Two
// pieces are on the wire at most, and statistics wait behind no more than these.
constexpr std::size_t kShareBytes = std::size_t{60} << 10U;

std::atomic<int> waiting{0};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
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
    : mpi_(mpi), rank_(rank), ranks_(ranks), scattered_(ranks), collected_(ranks), thread_([this] {
        exchange_gradients();
      }) {}

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
    begun_ = summed_ = 0;
  }
  book(ExchangeKind::gradients, seconds_since(start));
}

void MessageCollectives::abandon() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !is_summing_; });
  queue_.clear();
  begun_ = summed_ = 0;
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
    is_summing_ = true;
    lock.unlock();
    try {
      sum_queue();
    } catch (const std::exception& error) {  // no memory for a message: nobody can go on
      fmt::print(stderr, "voxmark: gradients of rank {}: {}\n", rank_, error.what());
      mpi_.abort(static_cast<int>(ExitCode::internal));
    }
    lock.lock();
    is_summing_ = false;
    changed_.notify_all();
  }
}

// Piece by piece: what is received is added and goes back, while the next piece is scattered.
void MessageCollectives::sum_queue() {
  std::optional<Piece> scattering, added, collecting;
  Clock::time_point moved = Clock::now();
  while (!stopped_) {
    bool moves = false;
    if (collecting && mpi_.done(kCollecting) != 0) {
      finish(*std::exchange(collecting, std::nullopt));
      moves = true;
    }
    if (scattering && !added && mpi_.done(kScattering) != 0) {
      add(*scattering);
      added = std::exchange(scattering, std::nullopt);
      moves = true;
    }
    if (added && !collecting) {
      collecting = std::exchange(added, std::nullopt);
      collect(*collecting);
      moves = true;
    }
    if (!scattering) {
      scattering = next_piece();
      if (scattering) {
        scatter(*scattering);
        moves = true;
      }
    }
    if (!scattering && !added && !collecting) {
      return;
    }
    if (moves) {
      moved = Clock::now();
    } else {
      pause(seconds_since(moved));
    }
  }
}

// While others compute on this core, asking again and again would take their time: the longer it
// lasts, the longer the pause. Nobody computes while this rank waits.
void MessageCollectives::pause(double waited) {
  constexpr double kShareOfWaited = 1.0 / 16;
  constexpr double kShortest = 20e-6, kLongest = 1e-3;  // seconds
  const double seconds =
      is_waiting() ? kShortest : std::clamp(waited * kShareOfWaited, kShortest, kLongest);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

// Of the messages in the queue, equal pieces of each. Nothing where none is left.
std::optional<MessageCollectives::Piece> MessageCollectives::next_piece() {
  const std::lock_guard lock(mutex_);
  if (begun_ == queue_.size()) {
    return std::nullopt;
  }
  Piece piece;
  piece.values = std::visit(
      [&](auto span) -> Values {
        const std::size_t most = kShareBytes * static_cast<std::size_t>(ranks_);
        const std::size_t pieces = std::max<std::size_t>(1, (span.size_bytes() + most - 1) / most);
        const std::size_t begin = span.size() * piece_ / pieces;
        const std::size_t end = span.size() * (piece_ + 1) / pieces;
        if (piece_ == 0) {
          message_begins_ = Clock::now();
        }
        piece.is_last = ++piece_ == pieces;
        return span.subspan(begin, end - begin);
      },
      queue_[begun_]);
  piece.message_begins = message_begins_;
  if (piece.is_last) {
    ++begun_;
    piece_ = 0;
  }
  return piece;
}

// Bytes of every rank's share of a piece, and where it begins.
void MessageCollectives::divide(const Piece& piece, Shares& shares) const {
  std::visit(
      [&](auto span) {
        const auto ranks = static_cast<std::size_t>(ranks_);
        const std::size_t bytes = sizeof(typename decltype(span)::value_type);
        for (std::size_t r = 0; r < ranks; ++r) {
          const std::size_t begin = span.size() * r / ranks, end = span.size() * (r + 1) / ranks;
          shares.offsets[r] = static_cast<int>(begin * bytes);
          shares.bytes[r] = static_cast<int>((end - begin) * bytes);
        }
      },
      piece.values);
}

void MessageCollectives::scatter(const Piece& piece) {
  divide(piece, scattered_);
  const auto own = static_cast<std::size_t>(scattered_.bytes[static_cast<std::size_t>(rank_)]);
  received_.resize(std::max(received_.size(), own * static_cast<std::size_t>(ranks_)));
  const std::size_t bytes = std::visit(
      [&](auto span) {
        mpi_.scatter(kScattering, span.data(), scattered_.bytes.data(), scattered_.offsets.data(),
                     received_.data());
        return span.size_bytes();
      },
      piece.values);
  const std::lock_guard lock(mutex_);
  times_.bytes_sent += static_cast<double>(bytes - own);
}

void MessageCollectives::add(const Piece& piece) {
  std::visit(
      [&](auto span) {
        using T = typename decltype(span)::value_type;
        const auto rank = static_cast<std::size_t>(rank_);
        const auto own =
            span.subspan(static_cast<std::size_t>(scattered_.offsets[rank]) / sizeof(T),
                         static_cast<std::size_t>(scattered_.bytes[rank]) / sizeof(T));
        add_shares(reinterpret_cast<const T*>(received_.data()), ranks_, rank_, own);
      },
      piece.values);
}

void MessageCollectives::collect(const Piece& piece) {
  divide(piece, collected_);
  const int own = collected_.bytes[static_cast<std::size_t>(rank_)];
  std::visit(
      [&](auto span) {
        mpi_.collect(kCollecting, span.data(), collected_.bytes.data(), collected_.offsets.data());
      },
      piece.values);
  const std::lock_guard lock(mutex_);
  times_.bytes_sent += static_cast<double>(own) * (ranks_ - 1);
}

void MessageCollectives::finish(const Piece& piece) {
  if (!piece.is_last) {
    return;
  }
  const Clock::time_point now = Clock::now();
  const Clock::time_point turn = std::max(piece.message_begins, last_message_ends_);
  last_message_ends_ = now;
  const std::lock_guard lock(mutex_);
  times_.messages.push_back(std::chrono::duration<double>(now - turn).count());
  if (++summed_ == queue_.size()) {
    changed_.notify_all();
  }
}

}  // namespace voxmark

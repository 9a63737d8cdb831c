// The collectives of backends/collectives.h by messages of MPI: statistics and loss at once,
// gradients by a thread of their own while the backward pass goes on.
//
// Gradients are summed by their owners: of each piece of a message every rank gets the same share
// of all ranks, adds them in double in the order of ranks, and sends the sum to all. No reduction
// of MPI's is used, whose order may change from call to call.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <variant>
#include <vector>

#include "backends/collectives.h"
#include "benches/ranks/mpi_plugin.h"

namespace voxmark {

// As long as one lives, this process waits for others: MessageCollectives::is_waiting().
class Waiting {
 public:
  Waiting();
  ~Waiting();
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
};

// Of one step of one rank, in seconds.
struct ExchangeTimes {
  // In which the rank computed nothing, until the others' values were there.
  double statistics = 0;
  double loss = 0;
  double gradients = 0;
  double bytes_sent = 0;
  // Of each call that waited, in order: with those of the other ranks they tell waiting for a
  // slower rank from waiting for the wire.
  std::vector<double> waits;
  // Of each message of gradients, from when it was its turn to its sum.
  std::vector<double> messages;
};

class MessageCollectives final : public Collectives {
 public:
  // `mpi` is started, and outlives this.
  MessageCollectives(const VoxmarkMpi& mpi, int rank, int ranks);
  ~MessageCollectives() override;
  MessageCollectives(const MessageCollectives&) = delete;
  MessageCollectives& operator=(const MessageCollectives&) = delete;

  int rank() const override { return rank_; }
  int ranks() const override { return ranks_; }

  void gather(ExchangeKind kind, std::span<const double> own, std::span<double> all) override;
  void broadcast(std::span<std::byte> values) override;
  void begin_sum(std::span<float> values) override { enqueue(values); }
  void begin_sum(std::span<double> values) override { enqueue(values); }
  void wait() override;
  void abandon() override;

  // Whether this process waits for others just now. To be asked from a signal handler.
  static bool is_waiting();

  // Since the last forget_times(), or the beginning. Both only behind wait().
  const ExchangeTimes& times() const { return times_; }
  void forget_times();

 private:
  using Clock = std::chrono::steady_clock;
  using Values = std::variant<std::span<float>, std::span<double>>;

  // Of a message of gradients, as much as travels at once.
  struct Piece {
    Values values;
    Clock::time_point message_begins;
    bool is_last = false;  // of its message
  };
  // By rank, as MPI takes them.
  struct Shares {
    explicit Shares(int ranks)
        : bytes(static_cast<std::size_t>(ranks)), offsets(static_cast<std::size_t>(ranks)) {}
    std::vector<int> bytes, offsets;
  };

  void enqueue(Values values);
  void book(ExchangeKind kind, double seconds);

  // Of the thread of gradients.
  void exchange_gradients();
  void sum_queue();
  static void pause(double waited);
  std::optional<Piece> next_piece();
  void divide(const Piece& piece, Shares& shares) const;
  void scatter(const Piece& piece);
  void add(const Piece& piece);
  void collect(const Piece& piece);
  void finish(const Piece& piece);

  const VoxmarkMpi& mpi_;
  int rank_, ranks_;
  ExchangeTimes times_;

  // Of the thread.
  std::vector<std::byte> received_;
  Shares scattered_, collected_;
  std::size_t piece_ = 0;  // the next one of message begun_
  Clock::time_point message_begins_, last_message_ends_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Values> queue_;  // all of a step
  std::size_t begun_ = 0;      // messages of it of which every piece has begun
  std::size_t summed_ = 0;     // of it
  bool is_summing_ = false;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace voxmark

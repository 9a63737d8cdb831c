#include "backends/ranks/ranks_in_threads.h"

#include <algorithm>
#include <barrier>
#include <thread>
#include <variant>
#include <vector>

namespace voxmark {
namespace {

// What the ranks show each other between two meetings.
struct Shown {
  explicit Shown(int ranks) : values(static_cast<std::size_t>(ranks)), meeting(ranks) {}
  std::vector<std::vector<double>> values;
  std::span<const std::byte> of_first;
  std::barrier<> meeting;
};

class ThreadRank final : public Collectives {
 public:
  ThreadRank(int rank, int ranks, Shown& shown) : rank_(rank), ranks_(ranks), shown_(shown) {}

  int rank() const override { return rank_; }
  int ranks() const override { return ranks_; }

  void gather(ExchangeKind, std::span<const double> own, std::span<double> all) override {
    show(own);
    auto to = all.begin();
    for (const std::vector<double>& values : shown_.values) {
      to = std::copy(values.begin(), values.end(), to);
    }
    shown_.meeting.arrive_and_wait();  // before anybody shows something else
  }

  void broadcast(std::span<std::byte> values) override {
    if (rank_ == 0) {
      shown_.of_first = values;
    }
    shown_.meeting.arrive_and_wait();
    if (rank_ != 0) {
      std::ranges::copy(shown_.of_first, values.begin());
    }
    shown_.meeting.arrive_and_wait();
  }

  void begin_sum(std::span<float> values) override { begun_.emplace_back(values); }
  void begin_sum(std::span<double> values) override { begun_.emplace_back(values); }

  void abandon() override { begun_.clear(); }

  // Only here: whoever looks at what was begun before gets what is not yet summed.
  void wait() override {
    for (const auto& values : begun_) {
      std::visit([this](auto span) { sum(span); }, values);
    }
    begun_.clear();
  }

 private:
  template <class Values>
  void show(const Values& own) {
    shown_.values[static_cast<std::size_t>(rank_)].assign(own.begin(), own.end());
    shown_.meeting.arrive_and_wait();
  }

  template <class T>
  void sum(std::span<T> values) {
    show(values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      double total = 0;
      for (const std::vector<double>& of_rank : shown_.values) {
        total += of_rank[i];
      }
      values[i] = static_cast<T>(total);
    }
    shown_.meeting.arrive_and_wait();
  }

  int rank_, ranks_;
  Shown& shown_;
  std::vector<std::variant<std::span<float>, std::span<double>>> begun_;
};

}  // namespace

void run_ranks(int ranks, const std::function<void(Collectives&)>& run) {
  Shown shown(ranks);
  std::vector<std::jthread> threads;
  threads.reserve(static_cast<std::size_t>(ranks));
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadRank collectives(rank, ranks, shown);
      run(collectives);
    });
  }
}

}  // namespace voxmark

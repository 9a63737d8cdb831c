// Where the ranks of a step meet: behind the ops that couple the images of a batch, and where
// gradients of parameters are ready. A backend runs its own stages and calls after() behind each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "backends/backend.h"
#include "backends/collectives.h"
#include "workloads/network/program.h"

namespace voxmark {

// A backend's memory of what stays in place throughout. T: float or double.
template <class T>
struct StepMemory {
  std::function<double*(TensorId)> reduction;      // of role reduction
  std::function<std::span<T>(TensorId)> gradient;  // of role parameter_gradient, padding included
};

// Adds what the exchange of gradients takes to a plan of several ranks: a copy of those that leave
// packed, and room for one message of the others'. `bytes_of`: as the backend stores a gradient.
void add_exchange(const Program& program, int ranks,
                  const std::function<std::int64_t(TensorId)>& bytes_of, MemoryPlan& plan);

template <class T>
class StepExchange {
 public:
  // `stages`: the ops of each stage, in the order in which they run; none where a stage only brings
  // back a tensor that was dropped. `collectives` and all that `memory` leads to outlive this.
  StepExchange(const Program& program, const std::vector<std::vector<OpId>>& stages,
               const StepMemory<T>& memory, Collectives& collectives);
  // A step that ended by an exception leaves messages under way.
  ~StepExchange();

  StepExchange(const StepExchange&) = delete;  // its actions refer to it
  StepExchange& operator=(const StepExchange&) = delete;

  // To be called when the stage has run.
  void after(std::size_t stage);
  // Behind the backward pass: then gradients are those of all ranks.
  void finish();

 private:
  struct Gradient {
    std::size_t stage = 0;  // the last of run() that reads or writes it
    std::span<T> values;
    std::span<T> packed;  // its place in packed_
  };
  // Gradients that are packed behind the same stage, and what leaves then: perhaps nothing yet.
  struct Departure {
    std::vector<std::size_t> gradients;
    std::vector<std::span<T>> messages;
  };

  void add_actions(const Op& op, const Program& program, std::size_t stage,
                   const StepMemory<T>& memory);
  void merge_statistics(std::size_t channels, double* statistics);
  void sum_loss(std::int64_t rows, const double* sums, double* loss, double* coefficients);
  void sum_now(std::span<T> first, std::span<T> second);
  void depart_in_order_of(std::vector<Gradient> gradients);
  std::span<const double> gather(ExchangeKind kind, std::size_t own);

  Collectives& collectives_;
  std::vector<std::vector<std::function<void()>>> actions_;  // by stage
  std::vector<Departure> departures_;                        // by stage
  std::vector<Gradient> gradients_;                          // those that are packed
  std::vector<T> packed_;
  bool is_under_way_ = false;      // messages of it
  std::vector<double> own_, all_;  // of gather()
};

}  // namespace voxmark

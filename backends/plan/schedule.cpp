#include "backends/plan/schedule.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

namespace voxmark {
namespace {

bool is_transient(TensorRole role) {
  return role == TensorRole::activation || role == TensorRole::gradient;
}

}  // namespace

Schedule schedule_in_order(const Program& program) {
  Schedule schedule(program.ops.size());
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    schedule[i].op = static_cast<OpId>(i);
  }
  return schedule;
}

namespace {

class Recomputing {
 public:
  explicit Recomputing(const Program& program)
      : program_(program),
        producer_(program.tensors.size(), -1),
        is_there_(program.tensors.size(), false) {
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
      for (const TensorId id : operands(program.ops[i]).writes) {
        producer_[index(id)] = static_cast<OpId>(i);
      }
    }
  }

  void run(OpId id, bool recomputed) {
    const Operands ids = operands(program_.ops[index(id)]);
    for (const TensorId read : ids.reads) {
      if (program_.tensor(read).role == TensorRole::activation && !is_there_[index(read)]) {
        run(producer_[index(read)], true);
      }
    }
    for (const TensorId write : ids.writes) {
      is_there_[index(write)] = true;
    }
    schedule_.push_back({id, recomputed});
  }

  void drop(std::span<const TensorId> tensors) {
    for (const TensorId id : tensors) {
      assert(program_.tensor(id).role == TensorRole::activation);
      is_there_[index(id)] = false;
    }
  }

  Schedule schedule() && { return std::move(schedule_); }

 private:
  static std::size_t index(std::int32_t id) { return static_cast<std::size_t>(id); }

  const Program& program_;
  std::vector<OpId> producer_;  // by TensorId
  std::vector<bool> is_there_;  // by TensorId
  Schedule schedule_;
};

}  // namespace

Schedule schedule_with_drops(const Program& program, std::span<const Drop> drops) {
  Recomputing recomputing(program);
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    recomputing.run(static_cast<OpId>(i), false);
    for (const Drop& drop : drops) {
      if (drop.after == static_cast<OpId>(i)) {
        recomputing.drop(drop.tensors);
      }
    }
  }
  return std::move(recomputing).schedule();
}

std::vector<Lifetime> lifetimes(const Program& program, const Schedule& schedule,
                                std::span<const TensorId> readable) {
  std::vector<Lifetime> result;
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> places(program.tensors.size(), kNone);  // in result, by TensorId
  const auto place = [&](TensorId id) -> std::size_t& {
    return places[static_cast<std::size_t>(id)];
  };
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    const int step = static_cast<int>(i);
    const Operands ids = operands(program.ops.at(static_cast<std::size_t>(schedule[i].op)));
    for (const TensorId id : ids.reads) {
      if (is_transient(program.tensor(id).role)) {
        assert(place(id) != kNone);  // written before it is read
        result[place(id)].last_step = step;
      }
    }
    for (const TensorId id : ids.writes) {
      if (is_transient(program.tensor(id).role)) {
        place(id) = result.size();
        result.push_back({id, step, step});
      }
    }
  }
  for (const TensorId id : readable) {
    if (place(id) != kNone) {
      result[place(id)].last_step = static_cast<int>(schedule.size()) - 1;
    }
  }
  return result;
}

}  // namespace voxmark

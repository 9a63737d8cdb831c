#include "backends/schedule.h"

#include <algorithm>
#include <cassert>
#include <map>

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

std::vector<Lifetime> lifetimes(const Program& program, const Schedule& schedule,
                                std::span<const TensorId> readable) {
  std::vector<Lifetime> result;
  std::map<TensorId, std::size_t> current;  // index into result
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    const int step = static_cast<int>(i);
    const Operands ids = operands(program.ops.at(static_cast<std::size_t>(schedule[i].op)));
    for (const TensorId id : ids.reads) {
      if (is_transient(program.tensor(id).role)) {
        assert(current.contains(id));  // written before it is read
        result[current.at(id)].last_step = step;
      }
    }
    for (const TensorId id : ids.writes) {
      if (is_transient(program.tensor(id).role)) {
        current[id] = result.size();
        result.push_back({id, step, step});
      }
    }
  }
  for (const TensorId id : readable) {
    if (current.contains(id)) {
      result[current.at(id)].last_step = static_cast<int>(schedule.size()) - 1;
    }
  }
  return result;
}

}  // namespace voxmark

#include "backends/onednn/recomputation.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "backends/onednn/kernels/winograd.h"
#include "backends/onednn/memory_layout.h"
#include "workloads/network/cost.h"

namespace voxmark::onednn {
namespace {

// Seconds do not matter here, only which op takes longer than which: a core's arithmetic against
// its memory traffic, of the order seen on AVX-512 servers.
constexpr double kFlopsPerByte = 8;

// A gap between two uses that is shorter than this cannot lower the peak.
constexpr int kShortestGap = 3;

// How much faster than direct convolutions, transforms included (measured, Zen 4).
constexpr double kWinogradGain = 2;

bool is_winograd(const Context& context, const Op& op) {
  if (const auto* forward = std::get_if<Convolution>(&op.kind)) {
    return runs_by_winograd(context, forward->input, forward->kernel, forward->output);
  }
  if (const auto* data = std::get_if<ConvolutionBackwardData>(&op.kind)) {
    return runs_by_winograd(context, data->grad_input, data->kernel, data->grad_output);
  }
  const auto* weights = std::get_if<ConvolutionBackwardWeights>(&op.kind);
  return weights != nullptr &&
         runs_by_winograd(context, weights->input, weights->grad_kernel, weights->grad_output);
}

double cost_of(const Context& context, const Op& op) {
  double bytes = 0;
  const Operands ids = operands(op);
  for (const TensorList& list : {ids.reads, ids.writes}) {
    for (const TensorId id : list) {
      const TensorFormat& format = context.formats[id];
      bytes += static_cast<double>(format.shape.elements() * format.element_bytes());
    }
  }
  const double work = static_cast<double>(flops(context.program, op));
  return (is_winograd(context, op) ? work / kWinogradGain : work) + kFlopsPerByte * bytes;
}

std::vector<double> costs_of(const Context& context) {
  std::vector<double> costs;
  costs.reserve(context.program.ops.size());
  for (const Op& op : context.program.ops) {
    costs.push_back(cost_of(context, op));
  }
  return costs;
}

double share_of(std::span<const double> costs, const Schedule& schedule) {
  double once = 0, again = 0;
  for (const ScheduledOp& scheduled : schedule) {
    (scheduled.recomputed ? again : once) += costs[static_cast<std::size_t>(scheduled.op)];
  }
  return again / once;
}

// Every long gap between two uses of a root of activations, as the drop that would leave it empty.
std::vector<Drop> possible_drops(const Context& context, std::span<const TensorId> readable) {
  const Program& program = context.program;
  struct Group {
    std::vector<TensorId> tensors;
    std::vector<OpId> uses;
    bool may_drop = true;
  };
  std::map<TensorId, Group> groups;
  for (std::size_t i = 0; i < program.tensors.size(); ++i) {
    const TensorId id = static_cast<TensorId>(i);
    if (program.tensors[i].role == TensorRole::activation) {
      Group& group = groups[context.formats[id].root];
      group.tensors.push_back(id);
      group.may_drop =
          group.may_drop && std::find(readable.begin(), readable.end(), id) == readable.end();
    }
  }
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    const Operands ids = operands(program.ops[i]);
    for (const TensorList& list : {ids.reads, ids.writes}) {
      for (const TensorId id : list) {
        if (program.tensor(id).role != TensorRole::activation) {
          continue;
        }
        Group& group = groups[context.formats[id].root];
        // Predictions are merged with the sums over them, which run once.
        group.may_drop = group.may_drop && !is_prediction_op(program.ops[i]);
        if (group.uses.empty() || group.uses.back() != static_cast<OpId>(i)) {
          group.uses.push_back(static_cast<OpId>(i));
        }
      }
    }
  }
  std::vector<Drop> drops;
  for (const auto& [root, group] : groups) {
    for (std::size_t k = 0; group.may_drop && k + 1 < group.uses.size(); ++k) {
      if (group.uses[k + 1] - group.uses[k] >= kShortestGap) {
        drops.push_back({group.uses[k], group.tensors});
      }
    }
  }
  return drops;
}

class Search {
 public:
  Search(const Context& context, const ScratchBytes& scratch, std::span<const TensorId> readable)
      : context_(context), scratch_(scratch), readable_(readable) {
    costs_ = costs_of(context);
    candidates_ = possible_drops(context, readable);
    best_ = evaluate({});
  }

  void descend(const RecomputationGoal& goal) {
    while (best_.peak() > goal.transient_bytes) {
      // A little lower at a time: what helps against the highest peaks now.
      constexpr double kStep = 0.97;
      const auto limit =
          std::max(goal.transient_bytes,
                   static_cast<std::int64_t>(kStep * static_cast<double>(best_.peak())));
      const double allowed = goal.extra_time_share;
      std::optional<Plan> next = best_step(limit, allowed);
      if (!next) {
        break;
      }
      best_ = std::move(*next);
    }
    give_back(std::max(goal.transient_bytes, best_.peak()));
  }

  // Undoes drops until the time is allowed: what saves most time for the memory that it takes.
  void give_back_time(double allowed_time_share) {
    constexpr double kLeastBytes = 4096, kLeastTime = 1e-9;
    while (best_.extra_time_share > allowed_time_share) {
      std::optional<Plan> next;
      double best_score = 0;
      for (std::size_t i = 0; i < best_.chosen.size(); ++i) {
        Plan plan = evaluate(without(i));
        const double time = std::max(best_.extra_time_share - plan.extra_time_share, kLeastTime);
        const double bytes = std::max(static_cast<double>(plan.peak() - best_.peak()), kLeastBytes);
        if (time / bytes > best_score) {
          best_score = time / bytes;
          next = std::move(plan);
        }
      }
      best_ = std::move(*next);  // without drops there is no extra time
    }
  }

  // Undoes drops that the limit does not need, the dearest first.
  void give_back(std::int64_t limit) {
    for (bool is_changed = true; is_changed;) {
      is_changed = false;
      std::optional<Plan> cheapest;
      for (std::size_t i = 0; i < best_.chosen.size(); ++i) {
        Plan plan = evaluate(without(i));
        const double now = cheapest ? cheapest->extra_time_share : best_.extra_time_share;
        if (plan.peak() <= limit && plan.extra_time_share <= now) {
          cheapest = std::move(plan);
        }
      }
      if (cheapest) {
        best_ = std::move(*cheapest);
        is_changed = true;
      }
    }
  }

  std::int64_t peak() const { return best_.peak(); }
  double extra_time_share() const { return best_.extra_time_share; }
  Schedule schedule() const {
    return schedule_with_drops(context_.program, drops_of(best_.chosen));
  }

 private:
  struct Plan {
    std::vector<std::size_t> chosen;        // candidates
    std::vector<std::int64_t> stage_bytes;  // alive during each stage
    double extra_time_share = 0;

    std::int64_t peak() const { return *std::max_element(stage_bytes.begin(), stage_bytes.end()); }
    double excess(std::int64_t limit) const {
      double sum = 0;
      for (const std::int64_t bytes : stage_bytes) {
        sum += static_cast<double>(std::max<std::int64_t>(0, bytes - limit));
      }
      return sum;
    }
  };

  // The chosen drops but the i-th.
  std::vector<std::size_t> without(std::size_t i) const {
    std::vector<std::size_t> fewer = best_.chosen;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    return fewer;
  }

  std::vector<Drop> drops_of(const std::vector<std::size_t>& chosen) const {
    std::vector<Drop> drops;
    drops.reserve(chosen.size());
    for (const std::size_t index : chosen) {
      drops.push_back(candidates_[index]);
    }
    return drops;
  }

  Plan evaluate(std::vector<std::size_t> chosen) const {
    const Schedule schedule = schedule_with_drops(context_.program, drops_of(chosen));
    const std::vector<StageOps> stages = merge_ops(context_.program, schedule, readable_);
    Plan plan;
    std::vector<std::int64_t> changes(stages.size() + 1, 0);
    for (const Stay& stay : stays(context_, stages, readable_)) {
      changes[static_cast<std::size_t>(stay.buffer.first_step)] += stay.buffer.bytes;
      changes[static_cast<std::size_t>(stay.buffer.last_step) + 1] -= stay.buffer.bytes;
    }
    std::int64_t alive = 0;
    for (std::size_t stage = 0; stage < stages.size(); ++stage) {
      alive += changes[stage];
      plan.stage_bytes.push_back(alive + scratch_(stages[stage]));
    }
    plan.chosen = std::move(chosen);
    plan.extra_time_share = share_of(costs_, schedule);
    return plan;
  }

  // The drop that lowers what lies above the limit most, for its time.
  std::optional<Plan> best_step(std::int64_t limit, double allowed_time_share) const {
    constexpr double kLeastTime = 1e-6;  // a drop may be free
    const double excess = best_.excess(limit);
    std::optional<Plan> best;
    double best_score = 0;
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      if (std::find(best_.chosen.begin(), best_.chosen.end(), i) != best_.chosen.end()) {
        continue;
      }
      std::vector<std::size_t> chosen = best_.chosen;
      chosen.push_back(i);
      Plan plan = evaluate(std::move(chosen));
      const double gain = excess - plan.excess(limit);
      const double time = std::max(plan.extra_time_share - best_.extra_time_share, kLeastTime);
      if (gain > 0 && plan.extra_time_share <= allowed_time_share && gain / time > best_score) {
        best_score = gain / time;
        best = std::move(plan);
      }
    }
    return best;
  }

  const Context& context_;
  const ScratchBytes& scratch_;
  std::span<const TensorId> readable_;
  std::vector<double> costs_;
  std::vector<Drop> candidates_;
  Plan best_;
};

}  // namespace

double extra_time_share(const Context& context, const Schedule& schedule) {
  return share_of(costs_of(context), schedule);
}

Schedule choose_schedule(const Context& context, const ScratchBytes& scratch,
                         const RecomputationGoal& goal, std::span<const TensorId> readable) {
  Search search(context, scratch, readable);
  search.descend(goal);
  if (search.peak() <= goal.transient_bytes && search.extra_time_share() == 0) {
    return search.schedule();
  }
  // Dropping step by step may end dearer than giving back from the least memory there is.
  Search from_below(context, scratch, readable);
  from_below.descend({0, std::numeric_limits<double>::infinity()});
  from_below.give_back(goal.transient_bytes);
  from_below.give_back_time(goal.extra_time_share);
  from_below.give_back(from_below.peak());
  // What fits costs least time; what does not, least memory.
  const auto cost = [&](const Search& found) {
    return std::pair(std::max(found.peak(), goal.transient_bytes), found.extra_time_share());
  };
  return cost(from_below) < cost(search) ? from_below.schedule() : search.schedule();
}

}  // namespace voxmark::onednn

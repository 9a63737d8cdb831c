#include "backends/plan/plan_by_layer.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"

namespace voxmark {
namespace {

// The first step that so many bytes are in use at; of no steps, 0.
int peak_of(const MemoryPlan& plan) {
  std::vector<std::int64_t> changes(plan.steps.size() + 1, 0);
  for (const PlannedBuffer& buffer : plan.buffers) {
    changes[static_cast<std::size_t>(buffer.first_step)] += buffer.bytes;
    changes[static_cast<std::size_t>(buffer.last_step) + 1] -= buffer.bytes;
  }
  std::int64_t in_use = 0, most = 0;
  int peak = 0;
  for (std::size_t step = 0; step < plan.steps.size(); ++step) {
    in_use += changes[step];
    if (in_use > most) {
      most = in_use;
      peak = static_cast<int>(step);
    }
  }
  return peak;
}

// The first step that is not of the forward pass; of no steps, 0.
int first_backward_step(const Program& program, const MemoryPlan& plan) {
  const auto is_forward = [&](OpId id) {
    return program.ops[static_cast<std::size_t>(id)].phase == Phase::forward;
  };
  return static_cast<int>(std::ranges::find_if_not(plan.steps, is_forward) - plan.steps.begin());
}

const char* phase_name(Phase phase) {
  switch (phase) {
    case Phase::forward:
      return "forward";
    case Phase::backward:
      return "backward";
    case Phase::update:
      return "update";
  }
  return "";
}

class ByLayer {
 public:
  ByLayer(const Network& network, const Program& program, const MemoryPlan& plan)
      : program_(program), plan_(plan), first_backward_step_(first_backward_step(program, plan)) {
    for (const LayerFacts& facts : layer_facts(network, program)) {
      row(facts.name).facts = facts;
    }
  }

  PlanByLayer result() && {
    result_.total_bytes = plan_.total_bytes();
    result_.steps = static_cast<int>(plan_.steps.size());
    if (!plan_.steps.empty()) {
      tell_peak();
    }
    std::int64_t in_use = 0;
    for (const PlannedBuffer& buffer : plan_.buffers) {
      in_use += add(buffer);
    }
    row(kGaps).other = result_.total_bytes - in_use;
    std::erase_if(result_.rows,
                  [](const LayerBytes& own) { return !own.facts && own.total() == 0; });
    return std::move(result_);
  }

 private:
  LayerBytes& row(const std::string& layer) {
    const auto [place, is_new] = places_.try_emplace(layer, result_.rows.size());
    if (is_new) {
      result_.rows.emplace_back().layer = layer;
    }
    return result_.rows[place->second];
  }

  const Op& op_at(int step) const {
    return program_.ops.at(
        static_cast<std::size_t>(plan_.steps.at(static_cast<std::size_t>(step))));
  }

  void tell_peak() {
    result_.peak_step = peak_of(plan_);
    const Op& op = op_at(*result_.peak_step);
    result_.peak_op = op_name(op);
    result_.peak_layer = op.layer;
    // What is computed again for the backward pass runs in it.
    result_.peak_phase = phase_name(*result_.peak_step < first_backward_step_ ? Phase::forward
                                    : op.phase == Phase::forward              ? Phase::backward
                                                                              : op.phase);
  }

  // Bytes in use at the peak.
  std::int64_t add(const PlannedBuffer& buffer) {
    const bool is_scratch = buffer.tensors.empty();
    const std::string layer = is_scratch ? kWorkspace : layer_of(program_, buffer.tensors.front());
    const bool at_peak = !result_.peak_step || (buffer.first_step <= *result_.peak_step &&
                                                *result_.peak_step <= buffer.last_step);
    LayeredBuffer told{layer, {}, buffer.bytes, buffer.first_step, buffer.last_step, at_peak};
    for (const TensorId id : buffer.tensors) {
      told.tensors.push_back(program_.tensor(id).name);
    }
    result_.buffers.push_back(std::move(told));
    if (!is_scratch) {
      tell_whenever(layer, buffer);
      keep(layer, buffer);
    }
    if (!at_peak) {
      return 0;
    }
    LayerBytes& own = row(layer);
    if (is_scratch) {
      own.other += buffer.bytes;
      return buffer.bytes;
    }
    switch (program_.tensor(buffer.tensors.front()).role) {
      case TensorRole::input:
      case TensorRole::target:
      case TensorRole::activation:
      case TensorRole::reduction:
        own.forward += buffer.bytes;
        break;
      case TensorRole::gradient:
        own.backward += buffer.bytes;
        break;
      case TensorRole::parameter:
      case TensorRole::moving_statistic:
      case TensorRole::optimizer_state:
      case TensorRole::parameter_gradient:
        own.weights += buffer.bytes;
        break;
    }
    return buffer.bytes;
  }

  // A tensor that is computed again counts once.
  void tell_whenever(const std::string& layer, const PlannedBuffer& buffer) {
    const TensorId id = buffer.tensors.front();
    const TensorRole role = program_.tensor(id).role;
    if (role == TensorRole::activation && seen_.insert(id).second) {
      row(layer).output_bytes += buffer.bytes;
    } else if (role == TensorRole::gradient && seen_.insert(id).second) {
      row(layer).gradient_bytes += buffer.bytes;
    }
  }

  void keep(const std::string& layer, const PlannedBuffer& buffer) {
    if (program_.tensor(buffer.tensors.front()).role != TensorRole::activation) {
      return;
    }
    const bool is_kept = plan_.steps.empty() || (buffer.first_step < first_backward_step_ &&
                                                 buffer.last_step >= first_backward_step_);
    const bool is_again = !plan_.steps.empty() && buffer.first_step >= first_backward_step_;
    if (!is_kept && !is_again) {
      return;
    }
    for (const TensorId id : buffer.tensors) {
      LayerBytes& own = row(layer_of(program_, id));
      const bool is_own = own.layer == layer;
      own.keeping = is_again ? Keeping::computed_again
                    : is_own ? Keeping::kept
                             : Keeping::in_another;
      own.lies_in = is_own ? "" : layer;
      own.kept += is_own && is_kept ? buffer.bytes : 0;
    }
  }

  const Program& program_;
  const MemoryPlan& plan_;
  int first_backward_step_;
  std::map<std::string, std::size_t> places_;
  std::set<TensorId> seen_;
  PlanByLayer result_;
};

}  // namespace

std::string to_string(Keeping keeping) {
  switch (keeping) {
    case Keeping::not_kept:
      return "";
    case Keeping::kept:
      return "kept";
    case Keeping::computed_again:
      return "again";
    case Keeping::in_another:
      return "part";
  }
  return "";
}

PlanByLayer plan_by_layer(const std::string& backend, const Network& network,
                          const Program& program, const MemoryPlan& plan) {
  if (plan.buffers.empty()) {
    throw_bad_input("--backend {}: its plan does not tell which tensor lies where", backend);
  }
  return ByLayer(network, program, plan).result();
}

}  // namespace voxmark

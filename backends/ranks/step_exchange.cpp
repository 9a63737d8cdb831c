#include "backends/ranks/step_exchange.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "backends/dice_loss.h"
#include "backends/ranks/exchange_points.h"

namespace voxmark {
namespace {

// Whether every rank's batch norms normalise by the statistics of all.
bool couples_batch_norms(const Program& program) { return program.batch_norm.across_ranks; }

}  // namespace

void add_exchange(const Program& program, int ranks,
                  const std::function<std::int64_t(TensorId)>& bytes_of, MemoryPlan& plan) {
  if (ranks == 1) {
    return;
  }
  std::int64_t all = 0, packed = 0;
  for (const Op& op : program.ops) {
    if (op.phase != Phase::backward || is_summed_at_once(op, program)) {
      continue;
    }
    for (const TensorId tensor : operands(op).writes) {
      if (program.tensor(tensor).role == TensorRole::parameter_gradient) {
        const std::int64_t bytes = bytes_of(tensor);
        all += bytes;
        packed += bytes < static_cast<std::int64_t>(kUnpackedBytes) ? bytes : 0;
      }
    }
  }
  plan.bytes["exchange"] = packed + std::min<std::int64_t>(all, kMessageBytes);
}

template <class T>
StepExchange<T>::StepExchange(const Program& program, const std::vector<std::vector<OpId>>& stages,
                              const StepMemory<T>& memory, Collectives& collectives)
    : collectives_(collectives), actions_(stages.size()), departures_(stages.size()) {
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    for (const OpId id : stages[stage]) {
      const Op& op = program.ops[static_cast<std::size_t>(id)];
      if (op.phase != Phase::update) {
        add_actions(op, program, stage, memory);
      }
    }
  }
  std::vector<Gradient> gradients;
  for (const auto& [tensor, stage] : ready_gradients(program, stages)) {
    gradients.push_back({stage, memory.gradient(tensor), {}});
  }
  depart_in_order_of(std::move(gradients));
}

template <class T>
StepExchange<T>::~StepExchange() {
  if (is_under_way_) {
    collectives_.abandon();
  }
}

template <class T>
void StepExchange<T>::add_actions(const Op& op, const Program& program, std::size_t stage,
                                  const StepMemory<T>& memory) {
  if (const auto* loss = std::get_if<DiceLoss>(&op.kind)) {
    const Shape& shape = program.tensor(loss->sums).shape;
    actions_[stage].push_back([this, rows = shape[0] * shape[1],
                               sums = memory.reduction(loss->sums),
                               value = memory.reduction(loss->loss),
                               coefficients = memory.reduction(loss->gradient_coefficients)] {
      sum_loss(rows, sums, value, coefficients);
    });
  }
  if (!couples_batch_norms(program)) {
    return;
  }
  if (const auto* norm = std::get_if<BatchNormStatistics>(&op.kind)) {
    const std::int64_t channels = program.tensor(norm->statistics).shape.back();
    actions_[stage].push_back([this, channels = static_cast<std::size_t>(channels),
                               statistics = memory.reduction(norm->statistics)] {
      merge_statistics(channels, statistics);
    });
  } else if (const auto* reduce = std::get_if<NormalizeReluReduce>(&op.kind)) {
    actions_[stage].push_back(
        [this, gamma = memory.gradient(reduce->grad_gamma),
         beta = memory.gradient(reduce->grad_beta)] { sum_now(gamma, beta); });
  }
}

template <class T>
void StepExchange<T>::depart_in_order_of(std::vector<Gradient> gradients) {
  std::stable_sort(gradients.begin(), gradients.end(),
                   [](const Gradient& a, const Gradient& b) { return a.stage < b.stage; });
  constexpr std::size_t kMost = kMessageBytes / sizeof(T);
  const auto is_unpacked = [](const Gradient& gradient) {
    return gradient.values.size_bytes() >= kUnpackedBytes;
  };
  for (const Gradient& gradient : gradients) {
    std::span<T> left = is_unpacked(gradient) ? gradient.values : std::span<T>();
    while (!left.empty()) {
      const std::size_t part = std::min(kMost, left.size());
      departures_[gradient.stage].messages.push_back(left.first(part));
      left = left.subspan(part);
    }
  }
  std::erase_if(gradients, is_unpacked);
  std::size_t size = 0;
  for (const Gradient& gradient : gradients) {
    size += gradient.values.size();
  }
  packed_.resize(size);
  std::size_t offset = 0, left = 0;  // all before `left` has departed
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    Gradient& gradient = gradients[i];
    gradient.packed = std::span(packed_).subspan(offset, gradient.values.size());
    offset += gradient.values.size();
    Departure& departure = departures_[gradient.stage];
    departure.gradients.push_back(i);
    const bool is_last = i + 1 == gradients.size();
    if (!is_last && gradients[i + 1].stage == gradient.stage) {
      continue;
    }
    while (offset - left >= kMost || (is_last && left < offset)) {
      const std::size_t part = std::min(kMost, offset - left);
      departure.messages.push_back(std::span(packed_).subspan(left, part));
      left += part;
    }
  }
  gradients_ = std::move(gradients);
}

template <class T>
void StepExchange<T>::after(std::size_t stage) {
  for (const auto& action : actions_[stage]) {
    action();
  }
  for (const std::size_t i : departures_[stage].gradients) {
    std::copy(gradients_[i].values.begin(), gradients_[i].values.end(),
              gradients_[i].packed.begin());
  }
  for (const std::span<T> message : departures_[stage].messages) {
    is_under_way_ = true;
    collectives_.begin_sum(message);
  }
}

template <class T>
void StepExchange<T>::finish() {
  collectives_.wait();
  is_under_way_ = false;
  for (const Gradient& gradient : gradients_) {
    std::copy(gradient.packed.begin(), gradient.packed.end(), gradient.values.begin());
  }
}

// The first `own` values of own_, of all ranks.
template <class T>
std::span<const double> StepExchange<T>::gather(ExchangeKind kind, std::size_t own) {
  all_.resize(own * static_cast<std::size_t>(collectives_.ranks()));
  collectives_.gather(kind, std::span(own_).first(own), all_);
  return all_;
}

// As Chan, Golub and LeVeque: deviations of the ranks' means from the whole mean.
template <class T>
void StepExchange<T>::merge_statistics(std::size_t channels, double* statistics) {
  own_.assign(statistics, statistics + 3 * channels);
  const std::span<const double> all = gather(ExchangeKind::statistics, 3 * channels);
  for (std::size_t c = 0; c < channels; ++c) {
    double count = 0, sum = 0, m2 = 0;
    for (std::size_t r = c; r < all.size(); r += 3 * channels) {
      count += all[r];
      sum += all[r] * all[r + channels];
    }
    const double mean = sum / count;
    for (std::size_t r = c; r < all.size(); r += 3 * channels) {
      const double deviation = all[r + channels] - mean;
      m2 += all[r + 2 * channels] + all[r] * deviation * deviation;
    }
    statistics[c] = count;
    statistics[channels + c] = mean;
    statistics[2 * channels + c] = m2;
  }
}

template <class T>
void StepExchange<T>::sum_loss(std::int64_t rows, const double* sums, double* loss,
                               double* coefficients) {
  const DiceTotals own = dice_totals(rows, sums);
  own_.assign({own.both, own.either, own.rows});
  const std::span<const double> all = gather(ExchangeKind::loss, own_.size());
  DiceTotals totals;
  for (std::size_t r = 0; r < all.size(); r += own_.size()) {
    totals.both += all[r];
    totals.either += all[r + 1];
    totals.rows += all[r + 2];
  }
  set_dice_loss(totals, loss, coefficients);
}

template <class T>
void StepExchange<T>::sum_now(std::span<T> first, std::span<T> second) {
  own_.assign(first.begin(), first.end());
  own_.insert(own_.end(), second.begin(), second.end());
  const std::span<const double> all = gather(ExchangeKind::statistics, own_.size());
  const auto sum = [&](std::size_t i) {
    double result = 0;
    for (std::size_t r = i; r < all.size(); r += own_.size()) {
      result += all[r];
    }
    return static_cast<T>(result);
  };
  for (std::size_t i = 0; i < first.size(); ++i) {
    first[i] = sum(i);
  }
  for (std::size_t i = 0; i < second.size(); ++i) {
    second[i] = sum(first.size() + i);
  }
}

template class StepExchange<float>;
template class StepExchange<double>;

}  // namespace voxmark

// An Executable that runs a program op by op, one op per stage, in channels-last layout and one
// planned arena. naive and Eigen share it; what differs between them is a Kernels class.
//
// A Kernels class has
//   using Scalar = float;                                  // or double
//   Kernels(const Program&, const CompileOptions&);
//   static std::int64_t scratch_bytes(const Program&, const CompileOptions&);
//   void execute(const Convolution&, const Tensors<Scalar>&);   // one overload for every op
//   std::string implementation(const Program&, const Op&) const;  // for the report
// and is called from one thread; its kernels may use `threads` threads inside.
#pragma once

#include <algorithm>
#include <cassert>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backends/backend.h"
#include "backends/plan/arena.h"
#include "backends/plan/memory_plan.h"
#include "backends/plan/schedule.h"
#include "backends/ranks/step_exchange.h"
#include "backends/step_result.h"

namespace voxmark {

// Where every tensor of a program lies in the arena; pure.
struct TensorLayout {
  std::vector<std::int64_t> offsets;  // bytes, per TensorId
  std::int64_t scratch_offset = 0;
  std::int64_t arena_bytes = 0;
  std::vector<Region> regions;  // all that ever lies in the arena
  MemoryPlan plan;
};
TensorLayout lay_out_tensors(const Program& program, std::int64_t scalar_bytes,
                             std::int64_t scratch_bytes, std::span<const TensorId> readable);

// The memory of a running program, as kernels see it.
template <class T>
class Tensors {
 public:
  Tensors(const Program& program, const TensorLayout& layout, const Arena& arena)
      : program_(program), layout_(layout), arena_(arena) {}

  // Elements in the shape's order, channels last.
  T* data(TensorId id) const {
    assert(program_.tensor(id).role != TensorRole::reduction);
    return reinterpret_cast<T*>(arena_.at(layout_.offsets[static_cast<std::size_t>(id)]));
  }
  // Tensors of role reduction are double in every backend.
  double* reduction(TensorId id) const {
    assert(program_.tensor(id).role == TensorRole::reduction);
    return reinterpret_cast<double*>(arena_.at(layout_.offsets[static_cast<std::size_t>(id)]));
  }
  const Shape& shape(TensorId id) const { return program_.tensor(id).shape; }
  std::byte* scratch() const { return arena_.at(layout_.scratch_offset); }
  const Program& program() const { return program_; }

 private:
  const Program& program_;
  const TensorLayout& layout_;
  const Arena& arena_;
};

template <class Kernels>
class Interpreter final : public Executable {
 public:
  using Scalar = typename Kernels::Scalar;

  Interpreter(Program program, const CompileOptions& options)
      : program_(std::move(program)),
        options_(options),
        layout_(lay_out(program_, options)),
        arena_(layout_.arena_bytes, options.threads, layout_.regions),
        tensors_(program_, layout_, arena_),
        kernels_(program_, options),
        result_(empty_result(program_)) {
    for (const ScheduledOp& scheduled : schedule_in_order(program_)) {
      const Op& op = program_.ops[static_cast<std::size_t>(scheduled.op)];
      stages_.push_back({{scheduled.op}, kernels_.implementation(program_, op), "ndhwc", ""});
    }
    flush_denormals(options.threads);
    if (options.ranks > 1) {
      join_ranks(*options.collectives);
    }
  }

  static TensorLayout lay_out(const Program& program, const CompileOptions& options) {
    TensorLayout layout = lay_out_tensors(
        program, sizeof(Scalar), Kernels::scratch_bytes(program, options), options.readable);
    add_exchange(
        program, options.ranks,
        [&](TensorId id) {
          return elements(program.tensor(id).shape) * static_cast<std::int64_t>(sizeof(Scalar));
        },
        layout.plan);
    return layout;
  }

  void set(TensorId id, std::span<const double> values) override {
    assert(is_persistent(program_.tensor(id).role));
    assert(static_cast<std::int64_t>(values.size()) == elements(program_.tensor(id).shape));
    std::transform(values.begin(), values.end(), tensors_.data(id),
                   [](double x) { return static_cast<Scalar>(x); });
  }

  void read(TensorId id, std::span<double> values) const override {
    assert(static_cast<std::int64_t>(values.size()) == elements(program_.tensor(id).shape));
    const auto copy = [&](const auto* from) {
      std::transform(from, from + values.size(), values.begin(),
                     [](auto x) { return static_cast<double>(x); });
    };
    if (program_.tensor(id).role == TensorRole::reduction) {
      copy(tensors_.reduction(id));
    } else {
      copy(tensors_.data(id));
    }
  }

  void load(const Batch& batch) override {
    const auto copy = [&](const std::vector<float>& from, TensorId to) {
      assert(static_cast<std::int64_t>(from.size()) == elements(program_.tensor(to).shape));
      Scalar* data = tensors_.data(to);
#pragma omp parallel for schedule(static) num_threads(options_.threads)
      for (std::size_t i = 0; i < from.size(); ++i) {
        data[i] = static_cast<Scalar>(from[i]);
      }
    };
    copy(batch.input, program_.input);
    copy(batch.target, program_.target);
  }

  const StepResult& run(StageObserver* observer) override {
    execute([](Phase phase) { return phase != Phase::update; }, observer);
    if (exchange_) {
      exchange_->finish();
    }
    if (program_.loss != kNoTensor) {
      fill_result(*tensors_.reduction(program_.loss), tensors_.reduction(program_.sums), result_);
    }
    return result_;
  }

  void update() override {
    execute([](Phase phase) { return phase == Phase::update; }, nullptr);
  }

  std::span<const Stage> stages() const override { return stages_; }
  const MemoryPlan& plan() const override { return layout_.plan; }
  std::optional<double> touch_seconds() const override { return arena_.touch_seconds(); }

 private:
  template <class Selects>
  void execute(Selects selects, StageObserver* observer) {
    using Clock = std::chrono::steady_clock;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const Op& op = program_.ops[static_cast<std::size_t>(stages_[i].ops.front())];
      if (!selects(op.phase)) {
        continue;
      }
      const Clock::time_point start = Clock::now();
      std::visit([&](const auto& kind) { kernels_.execute(kind, tensors_); }, op.kind);
      if (observer != nullptr) {
        observer->stage(i, std::chrono::duration<double>(Clock::now() - start).count());
      }
      if (exchange_) {
        exchange_->after(i);
      }
    }
  }

  void join_ranks(Collectives& collectives) {
    std::vector<std::vector<OpId>> stages;
    for (const Stage& stage : stages_) {
      stages.push_back(stage.ops);
    }
    const StepMemory<Scalar> memory{[this](TensorId id) { return tensors_.reduction(id); },
                                    [this](TensorId id) {
                                      return std::span(
                                          tensors_.data(id),
                                          static_cast<std::size_t>(elements(tensors_.shape(id))));
                                    }};
    exchange_.emplace(program_, stages, memory, collectives);
  }

  Program program_;
  CompileOptions options_;
  TensorLayout layout_;
  Arena arena_;
  Tensors<Scalar> tensors_;
  Kernels kernels_;
  StepResult result_;
  std::vector<Stage> stages_;
  std::optional<StepExchange<Scalar>> exchange_;  // of several ranks
};

// A Backend whose Executables are Interpreter<Kernels>, in one precision.
template <class Kernels>
class InterpretedBackend : public Backend {
 public:
  InterpretedBackend(std::string name, std::string description,
                     std::optional<BackendLibrary> library = std::nullopt)
      : name_(std::move(name)),
        description_(std::move(description)),
        library_(std::move(library)) {}

  std::string_view name() const override { return name_; }
  std::string_view description() const override { return description_; }
  std::optional<BackendLibrary> library() const override { return library_; }

  std::optional<Unsupported> unsupported(const Program&,
                                         const CompileOptions& options) const override {
    constexpr Precision own =
        sizeof(typename Kernels::Scalar) == sizeof(double) ? Precision::fp64 : Precision::fp32;
    if (options.precision != own) {
      return Unsupported{name_ + " computes in " + to_string(own) + ", not in " +
                         to_string(options.precision)};
    }
    return std::nullopt;
  }

  MemoryPlan plan(const Program& program, const CompileOptions& options) const override {
    return Interpreter<Kernels>::lay_out(program, options).plan;
  }

  std::unique_ptr<Executable> compile(const Program& program,
                                      const CompileOptions& options) const override {
    return std::make_unique<Interpreter<Kernels>>(program, options);
  }

 private:
  std::string name_;
  std::string description_;
  std::optional<BackendLibrary> library_;
};

}  // namespace voxmark

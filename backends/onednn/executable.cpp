#include "backends/onednn/executable.h"

#include <omp.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <map>
#include <utility>

#include "backends/onednn/convolution.h"
#include "backends/onednn/kernels/pointwise.h"
#include "backends/onednn/kernels/transposed.h"
#include "backends/onednn/memory_layout.h"
#include "backends/onednn/passes_stages.h"
#include "backends/onednn/recomputation.h"
#include "backends/onednn/tensor_io.h"
#include "backends/plan/arena.h"
#include "backends/ranks/step_exchange.h"
#include "backends/step_result.h"

namespace voxmark::onednn {
namespace {

// oneDNN takes its number of threads from OpenMP's global setting, both when it makes a primitive
// and when it runs one.
class ThreadCount {
 public:
  explicit ThreadCount(int threads) : previous_(omp_get_max_threads()) {
    omp_set_num_threads(threads);
  }
  ~ThreadCount() { omp_set_num_threads(previous_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int previous_;
};

PlannedStage plan_stage(const Context& context, const StageOps& stage) {
  const Op& op = context.program.ops[static_cast<std::size_t>(stage.ops.front())];
  const auto convolution = [&](const auto& kind, TensorId kernel) {
    return context.parameters.contains(kernel) ? plan_convolution(context, kind)
                                               : plan_pointwise(context, kind);
  };
  if (const auto* forward = std::get_if<Convolution>(&op.kind)) {
    return convolution(*forward, forward->kernel);
  }
  if (const auto* data = std::get_if<ConvolutionBackwardData>(&op.kind)) {
    return convolution(*data, data->kernel);
  }
  if (const auto* weights = std::get_if<ConvolutionBackwardWeights>(&op.kind)) {
    return convolution(*weights, weights->grad_kernel);
  }
  if (const auto* forward = std::get_if<TransposedConvolution>(&op.kind)) {
    return plan_transposed(context, *forward);
  }
  if (const auto* data = std::get_if<TransposedConvolutionBackwardData>(&op.kind)) {
    return plan_transposed(context, *data);
  }
  if (const auto* weights = std::get_if<TransposedConvolutionBackwardWeights>(&op.kind)) {
    return plan_transposed(context, *weights);
  }
  return plan_passes(context, stage);
}

// What may be spent by default: element-wise passes, whose time is lost in that of convolutions.
constexpr double kDefaultExtraTimeShare = 0.02;

// Everything that compiling decides before it allocates.
struct Blueprint {
  Blueprint(const Program& program, const CompileOptions& options, const Settings& settings)
      : formats(program, choose_layout(program, settings.block), options.precision,
                options.readable),
        context{program,         formats,           {}, dnnl::engine(dnnl::engine::kind::cpu, 0),
                options.threads, settings.algorithm},
        ranks(options.ranks) {
    context.parameters = choose_parameter_formats(context);
    if (!options.memory_limit_bytes) {
      prepare({0, kDefaultExtraTimeShare}, options.readable);
      return;
    }
    // Buffers do not always lie without gaps between them: aim lower until the arena fits.
    const std::int64_t limit = *options.memory_limit_bytes;
    prepare({limit, kAnyTime}, options.readable);
    std::int64_t goal = limit - fixed_bytes();
    constexpr int kAttempts = 4, kSmallestStep = 100;
    for (int i = 0; i < kAttempts && layout.plan.total_bytes() > limit && goal > 0; ++i) {
      prepare({goal, kAnyTime}, options.readable);
      goal -= std::max(layout.plan.total_bytes() - limit, goal / kSmallestStep);
    }
  }

  Blueprint(const Blueprint&) = delete;  // its parts refer to each other
  Blueprint& operator=(const Blueprint&) = delete;

  std::vector<Stage> described() const {
    std::vector<Stage> result;
    for (std::size_t i = 0; i < stages.size(); ++i) {
      result.push_back({stages[i].ops, planned[i].implementation, formats.layout().name(),
                        planned[i].isa, stages[i].recomputed});
    }
    return result;
  }

  Formats formats;
  Context context;
  std::vector<StageOps> stages;
  std::vector<PlannedStage> planned;
  MemoryLayout layout;
  int ranks;

 private:
  static constexpr double kAnyTime = 1e9;

  // What stays allocated throughout: parameters, their gradients and exchange, the batch.
  std::int64_t fixed_bytes() const {
    return layout.plan.total_bytes() - layout.plan.bytes.at("activations") -
           layout.plan.bytes.at("scratchpad");
  }

  void prepare(const RecomputationGoal& goal, std::span<const TensorId> readable) {
    const auto scratch = [this](const StageOps& stage) { return plan_once(stage).scratch_bytes; };
    const Schedule schedule = choose_schedule(context, scratch, goal, readable);
    stages = merge_ops(context.program, schedule, readable);
    planned.clear();
    for (const StageOps& stage : stages) {
      planned.push_back(plan_once(stage));
    }
    layout = lay_out(context, stages, planned, readable);
    layout.plan.extra_time_share = extra_time_share(context, schedule);
    add_exchange(
        context.program, ranks, [this](TensorId id) { return stored_bytes(context, id); },
        layout.plan);
  }

  // Made once for all stages of the same ops.
  const PlannedStage& plan_once(const StageOps& stage) {
    const auto [entry, is_new] = made_.try_emplace(stage.ops);
    if (is_new) {
      entry->second = plan_stage(context, stage);
    }
    return entry->second;
  }

  std::map<std::vector<OpId>, PlannedStage> made_;
};

class Compiled final : public Executable {
 public:
  Compiled(const Program& program, const CompileOptions& options, const Settings& settings)
      : program_(program),
        threads_(options.threads),
        blueprint_(program_, options, settings),
        stages_(blueprint_.described()),
        arena_(blueprint_.layout.arena_bytes, options.threads, blueprint_.layout.regions),
        memory_(memory_at(blueprint_.stages.size() - 1)),
        result_(empty_result(program_)) {
    flush_denormals(options.threads);
    for (std::size_t i = 0; i < blueprint_.stages.size(); ++i) {
      calls_.push_back(
          {op_of(blueprint_.stages[i].ops.front()).phase,
           blueprint_.planned[i].bind(memory_at(i), arena_.at(blueprint_.layout.scratch[i]))});
    }
    if (options.ranks > 1) {
      join_ranks(*options.collectives);
    }
  }

  void set(TensorId id, std::span<const double> values) override {
    const ThreadCount count(threads_);
    assert(is_persistent(program_.tensor(id).role));
    write_parameter(blueprint_.context, id, values, memory_.data(id));
  }

  void read(TensorId id, std::span<double> values) const override {
    const ThreadCount count(threads_);
    read_tensor(blueprint_.context, memory_, id, values);
  }

  void load(const Batch& batch) override {
    const ThreadCount count(threads_);
    write_image(blueprint_.context, program_.input, batch.input, memory_);
    write_image(blueprint_.context, program_.target, batch.target, memory_);
  }

  const StepResult& run(StageObserver* observer) override {
    execute([](Phase phase) { return phase != Phase::update; }, observer);
    if (exchange_) {
      exchange_->finish();
    }
    if (program_.loss != kNoTensor) {
      fill_result(*memory_.reduction(program_.loss), memory_.reduction(program_.sums), result_);
    }
    return result_;
  }

  void update() override {
    execute([](Phase phase) { return phase == Phase::update; }, nullptr);
  }

  std::span<const Stage> stages() const override { return stages_; }
  const MemoryPlan& plan() const override { return blueprint_.layout.plan; }
  std::optional<double> touch_seconds() const override { return arena_.touch_seconds(); }

 private:
  Memory memory_at(std::size_t stage) {
    return {blueprint_.formats, arena_.at(0),
            blueprint_.layout.offsets_at(static_cast<int>(stage))};
  }

  const Op& op_of(OpId id) const { return program_.ops[static_cast<std::size_t>(id)]; }

  template <class Selects>
  void execute(Selects selects, StageObserver* observer) {
    using Clock = std::chrono::steady_clock;
    const ThreadCount count(threads_);
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      if (!selects(calls_[i].phase)) {
        continue;
      }
      const Clock::time_point start = Clock::now();
      calls_[i].call();
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
    for (const StageOps& stage : blueprint_.stages) {
      stages.push_back(stage.recomputed ? std::vector<OpId>() : stage.ops);
    }
    const StepMemory<float> memory{
        [this](TensorId id) { return memory_.reduction(id); },
        [this](TensorId id) {
          return std::span(
              memory_.data(id),
              static_cast<std::size_t>(stored_bytes(blueprint_.context, id)) / sizeof(float));
        }};
    exchange_.emplace(program_, stages, memory, collectives);
  }

  struct BoundStage {
    Phase phase;
    Call call;
  };

  Program program_;
  int threads_;
  Blueprint blueprint_;
  std::vector<Stage> stages_;
  Arena arena_;
  Memory memory_;  // as it lies after the last stage
  StepResult result_;
  std::vector<BoundStage> calls_;
  std::optional<StepExchange<float>> exchange_;  // of several ranks
};

}  // namespace

std::unique_ptr<Executable> compile(const Program& program, const CompileOptions& options,
                                    const Settings& settings) {
  const ThreadCount count(options.threads);
  return std::make_unique<Compiled>(program, options, settings);
}

Preview preview(const Program& program, const CompileOptions& options, const Settings& settings) {
  const ThreadCount count(options.threads);
  const Blueprint blueprint(program, options, settings);
  return {blueprint.described(), blueprint.layout.plan};
}

}  // namespace voxmark::onednn

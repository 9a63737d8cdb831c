// bench_ops: the time of one op of the model, in every backend, as the backend really runs it.
//
//   bench_ops --image=64x64x64 --benchmark_filter='onednn/encodeB_conv1/.*'
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "backends/interpreter/executable_weights.h"
#include "benches/micro/isolated_layer.h"
#include "benches/micro/micro_options.h"
#include "benches/micro/rates.h"
#include "workloads/network/cost.h"
#include "workloads/network/synthetic.h"
#include "workloads/network/weights.h"

namespace voxmark {
namespace {

// Seconds of chosen stages.
class StageSeconds final : public StageObserver {
 public:
  explicit StageSeconds(std::vector<std::size_t> stages) : stages_(std::move(stages)) {}
  void stage(std::size_t index, double seconds) override {
    if (std::find(stages_.begin(), stages_.end(), index) != stages_.end()) {
      sum_ += seconds;
    }
  }
  double take() { return std::exchange(sum_, 0.0); }

 private:
  std::vector<std::size_t> stages_;
  double sum_ = 0;
};

// A layer's program compiled by one backend, with data in it.
struct CompiledLayer {
  const Backend* backend = nullptr;
  const IsolatedLayer* layer = nullptr;
  std::unique_ptr<Executable> executable;
};

// The layer's ops are timed one after another: compiled once for all of them.
CompiledLayer& compile_layer(const Backend& backend, const std::shared_ptr<IsolatedLayer>& layer,
                             const MicroOptions& options) {
  static CompiledLayer last;
  if (last.backend != &backend || last.layer != layer.get()) {
    const Program& program = layer->program;
    last = {};  // frees its memory first
    last = {&backend, layer.get(), backend.compile(program, options.compile())};
    set_weights(*last.executable, program, initial_weights(program, 1));
    const std::int64_t channels = program.tensor(program.input).shape.back();
    const std::int64_t predicted = program.tensor(program.prediction).shape.back();
    last.executable->load(synthetic_batch(program.images, program.dims, channels,
                                          predicted == 1 ? 1 : predicted - 1, 1, 0));
    last.executable->run();  // first touch and lazy set-up
  }
  return last;
}

// The update has no stages to be observed: timed as a whole.
void time_update(benchmark::State& state, const Backend& backend,
                 const std::shared_ptr<IsolatedLayer>& layer, const MicroOptions& options) {
  Executable& executable = *compile_layer(backend, layer, options).executable;
  double byte_count = 0;
  for (const Op& op : layer->program.ops) {
    byte_count +=
        op.phase == Phase::update ? bytes_moved(layer->program, op, options.precision) : 0;
  }
  IterationSeconds seconds(state);
  for (auto _ : state) {
    executable.run();  // once per update
    seconds.time([&] { executable.update(); });
  }
  seconds.show_rate(0, byte_count, options.limits);
}

void time_op(benchmark::State& state, const Backend& backend,
             const std::shared_ptr<IsolatedLayer>& layer, const std::string& op_name,
             const MicroOptions& options) {
  Executable& executable = *compile_layer(backend, layer, options).executable;
  const Program& program = layer->program;
  const OpId op = find_op(*layer, op_name);

  // Most often one stage; it may hold other ops that the backend fused with this one.
  std::vector<std::size_t> stages;
  std::size_t fused_ops = 0;
  double flop_count = 0;
  double byte_count = 0;
  double convolution_bytes = 0;
  std::string label;
  for (std::size_t i = 0; i < executable.stages().size(); ++i) {
    const Stage& stage = executable.stages()[i];
    if (std::find(stage.ops.begin(), stage.ops.end(), op) == stage.ops.end()) {
      continue;
    }
    stages.push_back(i);
    label = stage.implementation + " " + stage.layout;
    fused_ops = std::max(fused_ops, stage.ops.size() - 1);
    for (const OpId id : stage.ops) {
      const Op& fused = program.ops[static_cast<std::size_t>(id)];
      flop_count += static_cast<double>(flops(program, fused));
      byte_count += bytes_moved(program, fused, options.precision);
      convolution_bytes +=
          static_cast<double>(convolution_elements(program, fused) *
                              value_bytes(TensorRole::activation, options.precision));
    }
  }
  if (stages.empty()) {
    state.SkipWithError("the backend has no stage for this op");
    return;
  }
  if (fused_ops > 0) {
    label += fmt::format(", fused with {} more", fused_ops);
  }

  StageSeconds observer(stages);
  IterationSeconds seconds(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(executable.run(&observer).loss);
    seconds.add(observer.take());
  }
  seconds.show_rate(flop_count, flop_count > 0 ? convolution_bytes : byte_count, options.limits);
  state.SetLabel(label);
}

void add_benchmarks(const MicroOptions& options) {
  for (const Dims& image : options.images) {
    for (IsolatedLayer& isolated : isolate_layers(unet3d(options.unet), options.batch, image)) {
      const auto layer = std::make_shared<IsolatedLayer>(std::move(isolated));
      for (const Backend* backend : timed_backends(layer->program, options.compile())) {
        for (const std::string& op : layer->ops) {
          const std::string name =
              fmt::format("{}/{}/{}/{}", backend->name(), layer->name, op, to_string(image));
          auto* registered = benchmark::RegisterBenchmark(
                                 name.c_str(),
                                 [=](benchmark::State& state) {
                                   op == kUpdate ? time_update(state, *backend, layer, options)
                                                 : time_op(state, *backend, layer, op, options);
                                 })
                                 ->UseManualTime()
                                 ->Unit(benchmark::kMillisecond);
          if (op == kUpdate || op == "dice_loss") {
            registered->Iterations(kTinyPartIterations);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace voxmark

int main(int argc, char** argv) {
  return voxmark::run_benchmarks(argc, argv,
                                 "Time of one op of the 3D U-Net: BACKEND/LAYER/OP/IMAGE",
                                 voxmark::add_benchmarks);
}

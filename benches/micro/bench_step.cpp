// bench_step: forward and backward, the update, and the loading of a batch, in every backend.
// For a profiler; `voxmark run` is what measures: a process per case, verified beforehand.
//
//   bench_step --image=64x64x64 --benchmark_filter='onednn/.*'
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>

#include "benches/micro/micro_options.h"
#include "workloads/cost.h"
#include "workloads/synthetic.h"
#include "workloads/weights.h"

namespace voxmark {
namespace {

// A step ready to run; made when its first benchmark starts, and freed before the next step's.
class Step {
 public:
  Step(const Backend& backend, Dims image, const MicroOptions& options)
      : backend_(backend),
        options_(options),
        program_(lower(unet3d(options.unet), options.batch, image, Mode::training)) {}

  Executable& executable() {
    static Step* prepared = nullptr;
    if (prepared != this) {
      if (prepared != nullptr) {
        prepared->executable_.reset();
      }
      prepared = this;
      executable_ = backend_.compile(program_, options_.compile());
      for (const auto& [name, values] : initial_weights(program_, 1)) {
        executable_->set(program_.find(name), values);
      }
      executable_->load(batch());
      executable_->run();  // first touch and lazy set-up
      executable_->update();
    }
    return *executable_;
  }
  const Program& program() const { return program_; }
  Batch batch() const {
    return synthetic_batch(options_.batch, program_.dims, options_.unet.input_channels,
                           options_.unet.classes, 1, 0);
  }

 private:
  const Backend& backend_;
  MicroOptions options_;
  Program program_;
  std::unique_ptr<Executable> executable_;
};

constexpr auto kRate = benchmark::Counter::kIsIterationInvariantRate;

void time_forward_backward(benchmark::State& state, Step& step) {
  Executable& executable = step.executable();
  for (auto _ : state) {
    benchmark::DoNotOptimize(executable.run().loss);
  }
  state.counters["FLOP/s"] = benchmark::Counter(static_cast<double>(flops(step.program())), kRate);
}

void time_update(benchmark::State& state, Step& step) {
  Executable& executable = step.executable();
  for (auto _ : state) {
    state.PauseTiming();  // an update follows a run
    executable.run();
    state.ResumeTiming();
    executable.update();
  }
  // Adam reads parameter, gradient, m and v, and writes all but the gradient: 7 values of fp32.
  const double values = 7.0 * static_cast<double>(count_parameters(step.program()).trainable);
  state.counters["bytes/s"] = benchmark::Counter(4.0 * values, kRate);
}

void time_load(benchmark::State& state, Step& step) {
  Executable& executable = step.executable();
  const Batch batch = step.batch();
  for (auto _ : state) {
    executable.load(batch);
  }
  const auto values = static_cast<double>(batch.input.size() + batch.target.size());
  state.counters["bytes/s"] = benchmark::Counter(4.0 * values, kRate);
}

void add_benchmarks(const MicroOptions& options) {
  using Time = void (*)(benchmark::State&, Step&);
  const std::pair<const char*, Time> parts[] = {
      {"forward_backward", time_forward_backward}, {"update", time_update}, {"load", time_load}};
  for (const Dims& image : options.images) {
    const Program program = lower(unet3d(options.unet), options.batch, image, Mode::training);
    for (const Backend* backend : timed_backends(program, options.compile())) {
      const auto step = std::make_shared<Step>(*backend, image, options);
      for (const auto& [part, time] : parts) {
        const std::string name =
            fmt::format("{}/{}/{}x{}", backend->name(), part, to_string(image), options.batch);
        benchmark::RegisterBenchmark(
            name.c_str(), [step, time = time](benchmark::State& state) { time(state, *step); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
}

}  // namespace
}  // namespace voxmark

int main(int argc, char** argv) {
  return voxmark::run_benchmarks(argc, argv,
                                 "Time of a training step's parts: BACKEND/PART/IMAGExBATCH",
                                 voxmark::add_benchmarks);
}

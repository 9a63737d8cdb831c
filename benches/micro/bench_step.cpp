// bench_step: forward and backward, the update, and the loading of a batch, in every backend.
// For a profiler; `voxmark run` is what measures: a process per case, verified beforehand.
//
//   bench_step --image=64x64x64 --benchmark_filter='onednn/.*'
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <memory>

#include "backends/interpreter/executable_weights.h"
#include "benches/micro/micro_options.h"
#include "benches/micro/rates.h"
#include "workloads/network/cost.h"
#include "workloads/network/synthetic.h"
#include "workloads/network/weights.h"

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
      set_weights(*executable_, program_, initial_weights(program_, 1));
      executable_->load(batch());
      executable_->run();  // first touch and lazy set-up
      executable_->update();
    }
    return *executable_;
  }
  const Program& program() const { return program_; }
  const MicroOptions& options() const { return options_; }
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

void time_forward_backward(benchmark::State& state, Step& step) {
  Executable& executable = step.executable();
  IterationSeconds seconds(state);
  for (auto _ : state) {
    seconds.time([&] { benchmark::DoNotOptimize(executable.run().loss); });
  }
  double bytes = 0;
  for (const Op& op : step.program().ops) {
    bytes += static_cast<double>(convolution_elements(step.program(), op) *
                                 value_bytes(TensorRole::activation, step.options().precision));
  }
  seconds.show_rate(static_cast<double>(flops(step.program())), bytes, step.options().limits);
}

void time_update(benchmark::State& state, Step& step) {
  Executable& executable = step.executable();
  IterationSeconds seconds(state);
  for (auto _ : state) {
    executable.run();  // an update follows a run
    seconds.time([&] { executable.update(); });
  }
  double bytes = 0;
  for (const Op& op : step.program().ops) {
    bytes +=
        op.phase == Phase::update ? bytes_moved(step.program(), op, step.options().precision) : 0;
  }
  seconds.show_rate(0, bytes, step.options().limits);
}

void time_load(benchmark::State& state, Step& step) {
  Executable& executable = step.executable();
  const Batch batch = step.batch();
  IterationSeconds seconds(state);
  for (auto _ : state) {
    seconds.time([&] { executable.load(batch); });
  }
  // The floats of the batch are read, and written as the backend keeps them.
  const auto bytes = [&](TensorId id) {
    const TensorInfo& tensor = step.program().tensor(id);
    return elements(tensor.shape) * (static_cast<std::int64_t>(sizeof(float)) +
                                     value_bytes(tensor.role, step.options().precision));
  };
  seconds.show_rate(0,
                    static_cast<double>(bytes(step.program().input) + bytes(step.program().target)),
                    step.options().limits);
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
        auto* registered =
            benchmark::RegisterBenchmark(
                name.c_str(), [step, time = time](benchmark::State& state) { time(state, *step); })
                ->UseManualTime()
                ->Unit(benchmark::kMillisecond);
        if (time == time_update) {
          registered->Iterations(kTinyPartIterations);
        }
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

// What a time means: work done per second, beside what this machine can do at most.
#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <optional>
#include <string>

#include "backends/backend.h"

namespace voxmark {

// Nothing where it could not be measured.
struct Limits {
  std::optional<double> flops_per_second;  // in the precision of the run
  std::optional<double> bytes_per_second;
};

// Measured in a process of its own, in about a second and a half. To be called before this process
// has threads.
Limits measure_limits(Precision precision, int threads);

// Bytes of a value that a backend keeps: activations and their gradients in the precision of the
// run, all else in fp32 at least, sums that couple the batch in double.
std::int64_t value_bytes(TensorRole role, Precision precision);

// Iterations of what is a tiny part of the step that must run before each: to fill the library's
// half a second with it alone would take hours.
constexpr int kTinyPartIterations = 20;

// Nominal traffic of an op: every operand once.
double bytes_moved(const Program& program, const Op& op, Precision precision);

// Seconds of what is timed of each iteration.
class IterationSeconds {
 public:
  explicit IterationSeconds(benchmark::State& state) : state_(state) {}
  void add(double seconds);
  template <class Work>
  void time(const Work& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    add(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }

  // Of one iteration's work: counters "FLOP/s" where there are FLOPs, else "bytes/s"; beside it the
  // limit that binds it, "limit_FLOP/s" or "limit_bytes/s", and the share "of_limit". An op with
  // FLOPs is bound by either: its limit is what the longer of the two allows.
  void show_rate(double flops, double bytes, const Limits& limits) const;

 private:
  benchmark::State& state_;
  double sum_ = 0;
};

}  // namespace voxmark

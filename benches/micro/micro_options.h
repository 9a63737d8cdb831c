// What the Google Benchmark programs share: the step's shape from the command line, and the
// backends that can be timed. All flags of Google Benchmark work beside these.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "benches/micro/rates.h"
#include "workloads/network/network.h"

namespace voxmark {

struct MicroOptions {
  std::vector<Dims> images;
  std::int64_t batch = 1;
  UnetOptions unet;
  int threads = 1;
  Precision precision = Precision::fp32;
  Limits limits;  // of this machine

  CompileOptions compile() const { return {precision, threads, {}}; }
};

// Backends of this build that compute something and support the program.
std::vector<const Backend*> timed_backends(const Program& program, const CompileOptions& options);

// The main() of such a program: reads the flags, measures the machine's limits, lets
// `add_benchmarks` register, runs what --benchmark_filter chooses. The output's context tells what
// two runs must share to be compared. Returns the exit code; errors are one line on stderr.
int run_benchmarks(int argc, char** argv, const std::string& description,
                   const std::function<void(const MicroOptions&)>& add_benchmarks);

}  // namespace voxmark

// Records for tests: complete, and small enough to read.
#pragma once

#include "results/report.h"

namespace voxmark {

// A valid record of one measured process: a warm-up step, then two steps of `step_seconds`.
inline Record example_record(const std::string& backend, int process, double step_seconds = 0.5) {
  Record record;
  record.spec = {{"backend", backend},  {"image", {64, 64, 64}}, {"batch", 2},
                 {"input_channels", 1}, {"classes", 1},          {"filters", 16},
                 {"precision", "fp32"}, {"threads", 2},          {"data", "synthetic"},
                 {"seed", 1},           {"process", process}};
  record.outcome = Outcome::ok;
  record.reproduce = "voxmark run --backend " + backend + " --image 64 --batch 2";
  record.verification = VerificationRecord{
      true, "naive fp64",  {48, 48, 48}, TensorError{"gradient/encodeA_conv0/kernel", 1e-6, 1e-5},
      {},   Json::object()};
  record.memory = {1000, 1100, 200, 1400, {{"parameters", 400}, {"activations", 600}}, {}};
  record.compile_seconds = 0.25;
  record.flops_per_step = 178'601'852'928;
  record.parameters = 5'650'801;
  record.input_sha256 = std::string(64, 'a');
  record.weights_sha256 = std::string(64, 'b');
  const auto times = [](double step) { return StepTimes{0.01, 0.8 * step, 0.2 * step, step}; };
  record.samples = {{times(10 * step_seconds), 0.75, true, Json::object()},
                    {times(step_seconds), 0.5, false, {{"page_faults", 3}}},
                    {times(step_seconds), 0.25, false, {{"page_faults", 0}}}};
  record.stages = {{{"encodeA_conv0", "encodeA_bn0"},
                    "jit:avx2",
                    "nChw8c",
                    "avx2",
                    false,
                    "convolution",
                    "forward",
                    0.3 * step_seconds}};
  return record;
}

// What a process says that was disturbed, or was not.
inline Interference example_interference(bool tainted, std::vector<std::string> reasons = {}) {
  Interference found;
  found.tainted = tainted;
  found.reasons = std::move(reasons);
  return found;
}

// The same case, that did not come to be measured.
inline Record example_failure(const std::string& backend, int process, Outcome outcome,
                              const std::string& reason) {
  Record record = example_record(backend, process);
  record.outcome = outcome;
  record.reason = reason;
  record.verification.reset();
  record.memory = {};
  record.samples.clear();
  record.stages.clear();
  return record;
}

inline Report example_report() {
  Report report;
  report.header.created = "2024-05-31T12:00:00Z";
  report.header.voxmark = {{"version", "0.1.0"},
                           {"commit", "0123abcd"},
                           {"dirty", false},
                           {"binary_sha256", std::string(64, 'c')}};
  report.header.environment = {{"cpu", {{"model", "Example CPU"}}}};
  report.records = {example_record("naive", 0), example_record("onednn", 0, 0.125),
                    example_failure("eigen", 0, Outcome::skipped, "not built")};
  return report;
}

}  // namespace voxmark

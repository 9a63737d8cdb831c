#include "benches/run/roofline.h"

#include <algorithm>

#include "benches/protocol/case_work.h"
#include "benches/protocol/peers.h"
#include "workloads/network/cost.h"

namespace voxmark {
namespace {

Roofline missing(const std::string& reason) {
  Roofline found;
  found.reason = reason;
  return found;
}

// The limit's reason, or ours when it has none.
std::string reason_of(const MachineLimits& limit, const std::string& name) {
  const bool is_told = limit.reasons && limit.reasons->contains(name);
  return name + ": " + (is_told ? limit.reasons->at(name) : "unknown");
}

}  // namespace

double roofline_seconds(const Program& program, std::int64_t element_bytes,
                        const MachineLimit& limit) {
  double seconds = 0;
  for (const Op& op : program.ops) {
    const auto bytes = static_cast<double>(convolution_elements(program, op) * element_bytes);
    seconds += std::max(static_cast<double>(flops(program, op)) / limit.flops_per_second,
                        bytes / limit.bytes_per_second);
  }
  return seconds;
}

Roofline roofline(const CaseSpec& spec, int processes, int threads,
                  std::span<const MachineLimits> limits) {
  if (spec.precision == Precision::fp64) {
    return missing("the peak of fp64 is not measured");
  }
  const auto limit = std::ranges::find(limits, threads, &MachineLimits::threads);
  if (limit == limits.end()) {
    return missing("the limits of " + std::to_string(threads) + " threads were not measured");
  }
  const bool multiplies_in_bf16 = rounding_of(spec.backend, spec.precision) >= Rounding::bf32;
  const auto& peak =
      multiplies_in_bf16 ? limit->bf16_flops_per_second : limit->fp32_flops_per_second;
  if (!peak) {
    return missing(
        reason_of(*limit, multiplies_in_bf16 ? "bf16_flops_per_second" : "fp32_flops_per_second"));
  }
  if (!limit->triad_bytes_per_second) {
    return missing(reason_of(*limit, "triad_bytes_per_second"));
  }
  const MachineLimit machine{*peak / processes, *limit->triad_bytes_per_second / processes};
  Roofline found;
  found.seconds = roofline_seconds(training_program(spec), element_bytes(spec.precision), machine);
  found.flops_per_second = machine.flops_per_second;
  found.bytes_per_second = machine.bytes_per_second;
  return found;
}

}  // namespace voxmark

#include "benches/run/roofline.h"

#include <algorithm>

#include "workloads/network/cost.h"

namespace voxmark {
namespace {

Json missing(const std::string& reason) { return {{"seconds", nullptr}, {"reason", reason}}; }

// The limit's reason, or ours when it has none.
std::string reason_of(const Json& limit, const std::string& name) {
  return name + ": " +
         (limit.contains("reasons") ? limit.at("reasons").value(name, "unknown") : "unknown");
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

Json roofline(const CaseSpec& spec, const Json& limits) {
  if (spec.precision == Precision::fp64) {
    return missing("the peak of fp64 is not measured");
  }
  const auto limit = std::find_if(limits.begin(), limits.end(), [&](const Json& own) {
    return own.at("threads") == spec.threads;
  });
  if (limit == limits.end()) {
    return missing("the limits of " + std::to_string(spec.threads) + " threads were not measured");
  }
  const bool is_bf16 = spec.precision == Precision::bf16;
  const std::string peak = is_bf16 ? "bf16_flops_per_second" : "fp32_flops_per_second";
  const std::string bandwidth = "triad_bytes_per_second";
  for (const std::string& name : {peak, bandwidth}) {
    if (limit->at(name).is_null()) {
      return missing(reason_of(*limit, name));
    }
  }
  const MachineLimit machine{limit->at(peak).get<double>(), limit->at(bandwidth).get<double>()};
  return {{"seconds", roofline_seconds(training_program(spec), is_bf16 ? 2 : 4, machine)},
          {"flops_per_second", machine.flops_per_second},
          {"bytes_per_second", machine.bytes_per_second}};
}

}  // namespace voxmark

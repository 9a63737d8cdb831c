#include "benches/micro/rates.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>

#include "base/json.h"
#include "benches/limits/machine_limits.h"

namespace voxmark {
namespace {

// What `voxmark limits` measures: threads and memory that must not be this process's.
MachineLimits limits_of_a_child(int threads) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) {
    return {};
  }
  const pid_t child = fork();
  if (child == 0) {
    const std::string text = dump_json(members_to_json(machine_limits(threads)));
    const ssize_t written = write(ends[1], text.data(), text.size());
    _exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  close(ends[1]);
  std::string text;
  std::array<char, 4096> block{};
  for (ssize_t count = 0; (count = read(ends[0], block.data(), block.size())) > 0;) {
    text.append(block.data(), static_cast<std::size_t>(count));
  }
  close(ends[0]);
  int status = 1;
  waitpid(child, &status, 0);
  Json told = status == 0 ? parse_json(text, "limits of the machine") : Json::object();
  return take_members<MachineLimits>(told);
}

}  // namespace

Limits measure_limits(Precision precision, int threads) {
  const MachineLimits limits = limits_of_a_child(threads);
  Limits own;
  own.bytes_per_second = limits.triad_bytes_per_second;
  if (!own.bytes_per_second && limits.reasons) {  // neither limit is shown without it
    std::cerr << "no limits: " << limits.reasons->at("triad_bytes_per_second") << "\n";
  }
  if (precision != Precision::fp64) {  // whose peak is not measured
    own.flops_per_second =
        precision == Precision::bf16 ? limits.bf16_flops_per_second : limits.fp32_flops_per_second;
  }
  return own;
}

std::int64_t value_bytes(TensorRole role, Precision precision) {
  constexpr std::int64_t kHalf = 2, kSingle = 4, kDouble = 8;
  const bool is_wide = precision == Precision::fp64 || role == TensorRole::reduction;
  const bool is_narrow =
      precision == Precision::bf16 &&
      (role == TensorRole::input || role == TensorRole::activation || role == TensorRole::gradient);
  return is_wide ? kDouble : is_narrow ? kHalf : kSingle;
}

double bytes_moved(const Program& program, const Op& op, Precision precision) {
  std::int64_t bytes = 0;
  const Operands own = operands(op);
  for (const TensorList& side : {own.reads, own.writes}) {
    for (const TensorId id : side) {
      const TensorInfo& tensor = program.tensor(id);
      bytes += elements(tensor.shape) * value_bytes(tensor.role, precision);
    }
  }
  return static_cast<double>(bytes);
}

void IterationSeconds::add(double seconds) {
  state_.SetIterationTime(seconds);
  sum_ += seconds;
}

void IterationSeconds::show_rate(double flops, double bytes, const Limits& limits) const {
  const double seconds = sum_ / static_cast<double>(state_.iterations());
  const std::string unit = flops > 0 ? "FLOP/s" : "bytes/s";
  const double work = flops > 0 ? flops : bytes;
  std::optional<double> least_seconds;
  if (limits.bytes_per_second && (flops <= 0 || limits.flops_per_second)) {
    least_seconds = std::max(flops > 0 ? flops / *limits.flops_per_second : 0.0,
                             bytes / *limits.bytes_per_second);
  }
  state_.counters[unit] = work / seconds;
  if (least_seconds) {
    state_.counters["limit_" + unit] = work / *least_seconds;
    state_.counters["of_limit"] = *least_seconds / seconds;
  }
}

}  // namespace voxmark

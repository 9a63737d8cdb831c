#include "benches/report_check.h"

#include <cmath>
#include <set>

#include "base/error.h"
#include "benches/case_spec.h"
#include "benches/thread_settings.h"
#include "workloads/cost.h"

namespace voxmark {
namespace {

// Seconds are written with 17 digits: sums differ by rounding only.
constexpr double kRounding = 1e-9;

class Faults {
 public:
  explicit Faults(std::string where) : where_(std::move(where)) {}

  template <class... Args>
  void expect(bool condition, fmt::format_string<Args...> format, Args&&... args) {
    if (!condition) {
      lines_.push_back(where_ + ": " + fmt::format(format, std::forward<Args>(args)...));
    }
  }
  std::vector<std::string> lines() && { return std::move(lines_); }

 private:
  std::string where_;
  std::vector<std::string> lines_;
};

void check_samples(const CaseSpec& spec, const Record& record, Faults& faults) {
  int warmup = 0;
  int steps = 0;
  for (const SampleRecord& sample : record.samples) {
    (sample.warmup ? warmup : steps) += 1;
    if (sample.times) {
      const StepTimes& times = *sample.times;
      faults.expect(adds_up(times),
                    "step_seconds {} is not forward_backward_seconds + update_seconds = {}",
                    times.step_seconds, times.forward_backward_seconds + times.update_seconds);
    }
    faults.expect(record.outcome != Outcome::ok || std::isfinite(sample.loss),
                  "a loss is not finite, and the outcome ok");
  }
  if (publishes_times(record.outcome)) {
    faults.expect(warmup == spec.warmup, "{} warm-up steps, the case has {}", warmup, spec.warmup);
    faults.expect(steps == spec.steps, "{} timed steps, the case has {}", steps, spec.steps);
  }
}

void check_memory(const MemoryRecord& memory, Faults& faults) {
  if (memory.planned_bytes && !memory.plan_by_purpose.empty()) {
    std::uint64_t sum = 0;
    for (const auto& purpose : memory.plan_by_purpose.items()) {
      sum += purpose.value().get<std::uint64_t>();
    }
    faults.expect(sum == *memory.planned_bytes, "plan_by_purpose sums to {}, planned_bytes is {}",
                  sum, *memory.planned_bytes);
  }
  if (memory.base_bytes && memory.peak_bytes) {
    faults.expect(*memory.base_bytes <= *memory.peak_bytes, "base_bytes {} is above peak_bytes {}",
                  *memory.base_bytes, *memory.peak_bytes);
  }
}

void check_work(const CaseSpec& spec, const Record& record, Faults& faults) {
  const Program program = training_program(spec);
  faults.expect(!record.flops_per_step || *record.flops_per_step == flops(program),
                "flops_per_step is {}, the network's is {}", record.flops_per_step.value_or(0),
                flops(program));
  const std::int64_t parameters = count_parameters(program).total();
  faults.expect(!record.parameters || *record.parameters == parameters,
                "parameters is {}, the network's is {}", record.parameters.value_or(0), parameters);
}

// What follows each record's command where threads were bound.
std::string reproduce_flags(const ReportHeader& header) {
  const Json settings = header.details.value("thread_settings", Json());
  return settings.is_object() ? flags(thread_settings_from_json(settings)) : "";
}

std::vector<std::string> check_record(std::size_t index, const Record& record,
                                      const std::string& more_flags, std::set<std::string>& seen) {
  Faults faults(fmt::format("record {}", index));
  faults.expect(seen.insert(case_key(record.spec)).second, "its case stands twice");
  try {
    const CaseSpec spec = case_from_json(record.spec, "case");
    faults.expect(record.reproduce == reproduce_command(spec) + more_flags,
                  "reproduce is not the case's: {}", record.reproduce);
    check_samples(spec, record, faults);
    check_work(spec, record, faults);
  } catch (const Error& error) {
    faults.expect(false, "{}", error.what());
  }
  check_memory(record.memory, faults);
  // An external program may not verify; then it is said why.
  faults.expect(record.outcome != Outcome::ok || record.verification->verified ||
                    record.verification->reason.has_value(),
                "published without a proof, and without a reason for that");
  return std::move(faults).lines();
}

}  // namespace

bool adds_up(const StepTimes& times) {
  const double sum = times.forward_backward_seconds + times.update_seconds;
  return std::abs(sum - times.step_seconds) <= kRounding * std::max(1.0, sum);
}

std::vector<std::string> inconsistencies(const Report& report) {
  std::vector<std::string> all;
  std::set<std::string> seen;
  const std::string more_flags = reproduce_flags(report.header);
  for (std::size_t i = 0; i < report.records.size(); ++i) {
    for (std::string& fault : check_record(i, report.records[i], more_flags, seen)) {
      all.push_back(std::move(fault));
    }
  }
  return all;
}

}  // namespace voxmark

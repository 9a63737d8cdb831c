#include "benches/exchange/report_check.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "benches/machine/build_info.h"
#include "benches/machine/environment_check.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/contender.h"
#include "benches/protocol/peers.h"
#include "benches/threads/thread_settings.h"
#include "workloads/cases/case_fields.h"
#include "workloads/network/cost.h"

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
    faults.expect(record.outcome != Outcome::ok || !sample.times ||
                      sample.times->forward_backward_seconds > 0,
                  "forward_backward_seconds is 0, and the outcome ok");
  }
  if (publishes_times(record.outcome)) {
    const int all_warmup = spec.copies * spec.warmup, all_steps = spec.copies * spec.steps;
    faults.expect(warmup == all_warmup, "{} warm-up steps, the case has {}", warmup, all_warmup);
    faults.expect(steps == all_steps, "{} timed steps, the case has {}", steps, all_steps);
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
  const std::int64_t step = flops_of_all_ranks(spec, program);
  faults.expect(!record.flops_per_step || *record.flops_per_step == step,
                "flops_per_step is {}, the network's is {}", record.flops_per_step.value_or(0),
                step);
  const std::int64_t parameters = count_parameters(program).total();
  faults.expect(!record.parameters || *record.parameters == parameters,
                "parameters is {}, the network's is {}", record.parameters.value_or(0), parameters);
}

// ---- Times, against everything else that knows of time ----

double steps_seconds(const Record& record, bool with_loading) {
  double seconds = 0;
  for (const SampleRecord& sample : record.samples) {
    if (sample.times) {
      seconds += sample.times->step_seconds + (with_loading ? sample.times->load_seconds : 0);
    }
  }
  return seconds;
}

// Of copies, which run at once: by the sum over all of them.
void check_wall(const Record& record, Faults& faults) {
  constexpr double kClockTolerance = 1.01;  // as the runner allows a program of somebody else's
  constexpr double kSlackSeconds = 0.01;
  if (const auto& wall = record.facts.wall_seconds) {
    const double steps = steps_seconds(record, true) / record.spec.value("copies", 1);
    faults.expect(steps <= kClockTolerance * *wall + kSlackSeconds,
                  "load_seconds and step_seconds sum to {:.4g}, details.wall_seconds is {:.4g}",
                  steps, *wall);
  }
}

// No more CPU time than CPUs have in a step. Of our own backends: others count as they like.
void check_cpu_time(const CaseSpec& spec, const Record& record, std::int64_t cpus, Faults& faults) {
  constexpr double kAccounts = 1.05;
  constexpr double kSlackSeconds = 0.01;  // per CPU and step: a tick of the kernel's accounts
  double used = 0;
  for (const SampleRecord& sample : record.samples) {
    for (const char* name : {"user_seconds", "system_seconds"}) {
      const Json reading = sample.readings.value(name, Json());
      used += reading.is_number() ? reading.get<double>() : 0;
    }
  }
  const double steps = steps_seconds(record, false);
  const auto count = static_cast<double>(cpus);
  const double slack = kSlackSeconds * count * static_cast<double>(record.samples.size());
  faults.expect(
      !runs_our_child(spec.backend) || cpus <= 0 || used <= kAccounts * steps * count + slack,
      "user_seconds and system_seconds sum to {:.4g}, step_seconds to {:.4g}, and "
      "environment.cpu.online is {}",
      used, steps, cpus);
}

// The limits that were measured on as many threads; without any where they were not.
MachineLimits limits_of(const CaseSpec& spec, const RunLimits& limits) {
  for (const MachineLimits& own : limits.machine.value_or(std::vector<MachineLimits>())) {
    if (own.threads == spec.copies * spec.threads) {
      return own;
    }
  }
  return {};
}

std::optional<double> number(const Json& object, const char* name) {
  const Json value = object.is_object() ? object.value(name, Json()) : Json();
  return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
}

void check_rate(const CaseSpec& spec, const Record& record, const RunLimits& limits,
                Faults& faults) {
  // A few times by algorithms that need fewer operations than are counted (Winograd's, Fourier's),
  // and many times where the limit was measured while others had the CPUs.
  constexpr double kMostOverPeak = 100;
  const bool is_bf16 = rounding_of(spec.backend, spec.precision) >= Rounding::bf32;
  const char* name = is_bf16 ? "bf16_flops_per_second" : "fp32_flops_per_second";
  // What no core of today comes near: 6 GHz, 2048 operations a cycle (AMX), 8 times by algorithms.
  constexpr double kMostPerThread = 1e14;
  const MachineLimits own = limits_of(spec, limits);
  std::optional<double> peak = is_bf16 ? own.bf16_flops_per_second : own.fp32_flops_per_second;
  if (peak) {
    *peak /= spec.copies;  // of each
  }
  if (record.outcome != Outcome::ok || !record.flops_per_step) {
    return;
  }
  const double flops = static_cast<double>(*record.flops_per_step) / spec.ranks;  // of each
  if (!peak) {
    const bool is_possible = std::ranges::all_of(record.samples, [&](const SampleRecord& sample) {
      return !sample.times ||
             flops <= kMostPerThread * spec.threads * sample.times->forward_backward_seconds;
    });
    faults.expect(is_possible, "flops_per_step {:.4g} took no time that {} threads can reach",
                  flops, spec.threads);
    return;
  }
  for (const SampleRecord& sample : record.samples) {
    const double seconds = sample.times ? sample.times->forward_backward_seconds : 0;
    if (sample.times && flops > kMostOverPeak * *peak * seconds) {
      faults.expect(false,
                    "flops_per_step {:.4g} in forward_backward_seconds {:.4g} is more than {} "
                    "times limits.machine's {} {:.4g}",
                    flops, seconds, kMostOverPeak, name, *peak);
      break;
    }
  }
  const std::optional<double> told =
      record.facts.roofline ? record.facts.roofline->flops_per_second : std::nullopt;
  faults.expect(!told || *told == *peak, "details.roofline.flops_per_second is {}, {} is {}",
                told.value_or(0), name, *peak);
}

// ---- Kernels and proofs ----

void check_kernels(const CaseSpec& spec, const Record& record, const Json& environment,
                   Faults& faults) {
  for (const StageRecord& stage : record.stages) {
    for (const std::string& name : {stage.implementation, stage.isa}) {
      const std::string flag = runs_our_child(spec.backend) ? missing_flag(environment, name) : "";
      if (!flag.empty()) {
        faults.expect(false, "a stage ran as {}, environment.cpu.flags lack {}", name, flag);
        return;
      }
    }
  }
}

void check_proof(const CaseSpec& spec, const Record& record, Faults& faults) {
  if (!record.verification || !record.verification->worst) {
    return;
  }
  const VerificationRecord& proof = *record.verification;
  faults.expect(!proof.verified || proof.worst->error <= proof.worst->tolerance,
                "verified, and verification.worst.error {} is above its tolerance {}",
                proof.worst->error, proof.worst->tolerance);
  const bool is_cut =
      proof.image.size() == 3 && (proof.image[0] > spec.image.d || proof.image[1] > spec.image.h);
  faults.expect(!is_cut, "verification.image is {}x{}, the case's image {}x{}",
                is_cut ? proof.image[0] : 0, is_cut ? proof.image[1] : 0, spec.image.d,
                spec.image.h);
}

// ---- Processes of one case ----

struct Inputs {
  std::size_t index = 0;  // of the first record that has them
  std::optional<std::string> input, weights;
  double loss = 0;
};

// By the case without its process: each draws the same weights and batch from the same seed.
using KnownInputs = std::map<std::string, Inputs>;

void check_inputs(std::size_t index, const CaseSpec& spec, const Record& record, KnownInputs& known,
                  Faults& faults) {
  if (record.outcome != Outcome::ok || !runs_our_child(spec.backend) || record.samples.empty()) {
    return;
  }
  const Inputs own{index, record.input_sha256, record.weights_sha256, record.samples[0].loss};
  const auto [first, is_new] = known.emplace(case_key(without_process(to_json(spec))), own);
  if (is_new) {
    return;
  }
  const Inputs& other = first->second;
  const auto compare = [&](const char* name, const auto& mine, const auto& theirs) {
    faults.expect(!mine || !theirs || mine == theirs, "{} is {}, in record {} of the same case {}",
                  name, mine.value_or(""), other.index, theirs.value_or(""));
  };
  compare("input_sha256", own.input, other.input);
  compare("weights_sha256", own.weights, other.weights);
  // Before any update: only the order of sums on several threads may differ.
  const double tolerance = spec.precision == Precision::bf16 ? 3e-2 : 1e-3;
  faults.expect(std::abs(own.loss - other.loss) <= tolerance * std::max(1.0, std::abs(other.loss)),
                "the first step's loss is {}, in record {} of the same case {}", own.loss,
                other.index, other.loss);
}

// What follows each record's command where threads were bound.
std::string reproduce_flags(const ReportHeader& header) {
  const auto& settings = header.facts.thread_settings;
  return settings ? flags(thread_settings_of(*settings)) : "";
}

// What the records of a report are held against.
struct Whole {
  const ReportHeader& header;
  std::string more_flags;
  bool by_this_commit = false;
  std::int64_t cpus = 0;  // 0: not known
  std::set<std::string> seen;
  KnownInputs inputs;
};

std::vector<std::string> check_record(std::size_t index, const Record& record, Whole& whole) {
  Faults faults(fmt::format("record {}", index));
  faults.expect(whole.seen.insert(case_key(record.spec)).second, "its case stands twice");
  try {
    const CaseSpec spec = case_from_json(record.spec, "case");
    // Another commit may have said the same by other flags.
    faults.expect(
        !whole.by_this_commit || record.reproduce == reproduce_command(spec) + whole.more_flags,
        "reproduce is not the case's: {}", record.reproduce);
    check_samples(spec, record, faults);
    check_work(spec, record, faults);
    check_cpu_time(spec, record, whole.cpus, faults);
    check_rate(spec, record, whole.header.limits, faults);
    check_kernels(spec, record, whole.header.environment, faults);
    check_proof(spec, record, faults);
    const std::optional<double> memory =
        number(whole.header.environment.value("memory", Json()), "total_bytes");
    faults.expect(!memory || !record.memory.peak_bytes ||
                      static_cast<double>(*record.memory.peak_bytes) <= *memory,
                  "memory.peak_bytes is {}, environment.memory.total_bytes is {}",
                  record.memory.peak_bytes.value_or(0), memory.value_or(0));
    check_inputs(index, spec, record, whole.inputs, faults);
  } catch (const Error& error) {
    faults.expect(false, "{}", error.what());
  }
  check_wall(record, faults);
  check_memory(record.memory, faults);
  // An external program may not verify; then it is said why.
  faults.expect(record.outcome != Outcome::ok || record.verification->verified ||
                    record.verification->reason.has_value(),
                "published without a proof, and without a reason for that");
  return std::move(faults).lines();
}

std::int64_t online_cpus(const Json& environment) {
  const Json cpu = environment.value("cpu", Json::object());
  std::int64_t most = 0;
  for (const char* name : {"online", "allowed"}) {
    const Json value = cpu.value(name, Json());
    most = std::max(most, value.is_number_integer() ? value.get<std::int64_t>() : 0);
  }
  return most;
}

// "2024-02-30T12:00:00Z" is no day. The schema has seen to the digits.
bool is_a_time(const std::string& created) {
  const auto part = [&](std::size_t begin, std::size_t digits) {
    return std::stoi(created.substr(begin, digits));
  };
  constexpr std::size_t kYear = 0, kMonth = 5, kDay = 8, kHour = 11, kMinute = 14, kSecond = 17;
  constexpr int kHours = 24, kMinutes = 60, kLeapSecond = 60;
  const std::chrono::year_month_day date{std::chrono::year{part(kYear, 4)},
                                         std::chrono::month{static_cast<unsigned>(part(kMonth, 2))},
                                         std::chrono::day{static_cast<unsigned>(part(kDay, 2))}};
  return date.ok() && part(kHour, 2) < kHours && part(kMinute, 2) < kMinutes &&
         part(kSecond, 2) <= kLeapSecond;
}

std::vector<std::string> check_header(const ReportHeader& header) {
  std::vector<std::string> faults;
  for (const std::string& fault : environment_contradictions(header.environment)) {
    faults.push_back("environment: " + fault);
  }
  if (!is_a_time(header.created)) {
    faults.push_back(fmt::format("created: {} is no time", header.created));
  }
  const Json memory = header.environment.value("memory", Json());
  const std::optional<double> total = number(memory, "total_bytes");
  const std::optional<double> available = number(memory, "available_bytes");
  if (total && available && *available > *total) {
    faults.push_back(fmt::format("environment.memory: available_bytes is {}, total_bytes is {}",
                                 *available, *total));
  }
  const Json identity = header.facts.identity.value_or(Json());
  const Json identified = identity.is_object() ? identity.value("CPU", Json()) : Json();
  const Json cpu = header.environment.value("cpu", Json());
  const Json named = cpu.is_object() ? cpu.value("model_name", Json()) : Json();
  if (identified.is_string() && named.is_string() && identified != named) {
    faults.push_back(fmt::format("details.identity.CPU is {}, environment.cpu.model_name is {}",
                                 identified.get<std::string>(), named.get<std::string>()));
  }
  for (const MachineLimits& own : header.limits.machine.value_or(std::vector<MachineLimits>())) {
    const std::string name = own.fp32_isa.value_or("");
    if (const std::string flag = missing_flag(header.environment, name); !flag.empty()) {
      faults.push_back(
          fmt::format("limits.machine: fp32_isa is {}, environment.cpu.flags lack {}", name, flag));
    }
  }
  return faults;
}

}  // namespace

bool adds_up(const StepTimes& times) {
  const double sum = times.forward_backward_seconds + times.update_seconds;
  return std::abs(sum - times.step_seconds) <= kRounding * std::max(1.0, sum);
}

std::vector<std::string> inconsistencies(const Report& report) {
  std::vector<std::string> all = check_header(report.header);
  Whole whole{
      report.header,
      reproduce_flags(report.header),
      report.header.voxmark.value("commit", Json()) == program_facts("").value("commit", Json()),
      online_cpus(report.header.environment),
      {},
      {}};
  for (std::size_t i = 0; i < report.records.size(); ++i) {
    for (std::string& fault : check_record(i, report.records[i], whole)) {
      all.push_back(std::move(fault));
    }
  }
  return all;
}

}  // namespace voxmark

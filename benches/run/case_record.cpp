#include "benches/run/case_record.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/error.h"
#include "benches/probes/interference.h"
#include "benches/probes/readings.h"
#include "benches/process/process_cpus.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/contender.h"
#include "benches/run/side_by_side.h"
#include "results/tables/summary.h"
#include "workloads/network/cost.h"

namespace voxmark {
namespace {

bool is_fault(Outcome outcome) {
  return outcome == Outcome::failed || outcome == Outcome::crashed || outcome == Outcome::timeout;
}

std::optional<std::uint64_t> unsigned_bytes(const std::optional<std::int64_t>& bytes) {
  return bytes ? std::optional(static_cast<std::uint64_t>(*bytes)) : std::nullopt;
}

std::optional<std::string> text_or_none(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

SampleRecord to_sample(const StepMessage& step, const CaseSpec& spec) {
  SampleRecord sample{StepTimes{step.load_seconds, step.forward_backward_seconds,
                                step.update_seconds, step.step_seconds},
                      step.loss, step.warmup, step.readings};
  if (const auto found = taints(step.readings, step.step_seconds, spec.threads, spec.copies);
      !found.empty()) {
    sample.readings["tainted"] = found;
  }
  return sample;
}

StageRecord to_stage(const Json& stage) {
  StageRecord record;
  record.ops = stage.at("ops").get<std::vector<std::string>>();
  record.implementation = stage.value("implementation", "");
  record.layout = stage.value("layout", "");
  record.isa = stage.value("isa", "");
  record.recomputed = stage.value("recomputed", false);
  record.kind = stage.value("kind", "");
  record.direction = stage.value("direction", "");
  if (stage.contains("slow")) {
    record.slow = stage.at("slow").get<bool>();
  }
  return record;
}

void keep_samples(const CaseSpec& spec, std::span<const Exchange> copies, std::size_t index,
                  const SideBySide& times, Record& record) {
  const std::vector<StepMessage>& steps = copies[index].steps;
  for (std::size_t step = 0; step < steps.size(); ++step) {
    SampleRecord& sample = record.samples.emplace_back(to_sample(steps[step], spec));
    if (copies.size() > 1) {
      sample.copy = static_cast<std::int64_t>(index) + 1;
      sample.alone = times.alone[index][step];
    }
  }
}

// Nothing where one of them does not tell.
template <class Bytes>
std::optional<std::uint64_t> sum_of(std::span<const Exchange> copies, Bytes bytes_of) {
  std::int64_t sum = 0;
  for (const Exchange& own : copies) {
    const std::optional<std::int64_t> bytes = bytes_of(own);
    if (!bytes) {
      return std::nullopt;
    }
    sum += *bytes;
  }
  return static_cast<std::uint64_t>(sum);
}

Copies copies_of(std::span<const Exchange> copies, const SideBySide& times) {
  Copies found;
  found.apart = times.apart;
  auto& each = found.each.emplace();
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const Exchange& own = copies[i];
    CopyFacts& facts = each.emplace_back();
    if (!own.cpus.empty()) {
      facts.cpus = cpu_list_text(set_of(own.cpus));
    }
    facts.peak_bytes = own.peak_bytes;
    if (own.fault) {
      continue;
    }
    if (own.ready) {
      facts.compile_seconds = own.ready->compile_seconds;
    }
    if (own.probes.contains("threads")) {
      facts.threads = own.probes.at("threads");
    }
    if (std::vector<double> seconds = counted_seconds(copies, i, times); !seconds.empty()) {
      facts.steps = std::ssize(seconds);
      facts.step_seconds = spread_of(std::move(seconds)).median;
    }
  }
  return found;
}

bool has_fault(const Exchange& copy) { return copy.fault.has_value(); }

// RAPL counts what all copies take.
void share_energy(const CaseSpec& spec, Record& record) {
  auto& energy = record.facts.probes->energy;
  if (energy && energy->joules_per_image) {
    *energy->joules_per_image /= spec.copies;
  }
}

// Throws Error (bad_input).
void check_inputs(std::span<const Exchange> copies) {
  const ReadyMessage& first = *copies.front().ready;
  for (std::size_t i = 1; i < copies.size(); ++i) {
    const ReadyMessage& own = *copies[i].ready;
    if (own.batch_sha256 != first.batch_sha256 || own.weights_sha256 != first.weights_sha256) {
      throw_bad_input("child protocol: copy {} has another batch or other weights than copy 1",
                      i + 1);
    }
  }
}

double longest_compile(std::span<const Exchange> copies) {
  double seconds = 0;
  for (const Exchange& own : copies) {
    seconds = std::max(seconds, own.ready->compile_seconds);
  }
  return seconds;
}

// Of the copy that took most: the limit is each one's.
void keep_memory_limit(const CaseSpec& spec, std::span<const Exchange> copies, Record& record) {
  constexpr double kBesidePlan = 1.05;  // libraries and threads take a few MiB of their own
  std::int64_t taken = 0;
  for (const Exchange& own : copies) {
    taken = std::max(taken, own.peak_bytes.value_or(0) - own.ready->base_bytes.value_or(0));
  }
  if (spec.memory_limit_bytes &&
      static_cast<double>(taken) > kBesidePlan * static_cast<double>(*spec.memory_limit_bytes)) {
    record.facts.beyond_memory_limit = {taken, spec.memory_limit_bytes};
  }
}

// Throws Error (bad_input).
void keep_stages(const Exchange& timed, Record& record) {
  for (const Json& stage : timed.ready->stages) {
    record.stages.push_back(to_stage(stage));
  }
  if (timed.stage_seconds.empty()) {
    return;
  }
  if (timed.stage_seconds.size() != record.stages.size()) {
    throw_bad_input("child protocol: stage_seconds: expected one per stage ({}), found {}",
                    record.stages.size(), timed.stage_seconds.size());
  }
  for (std::size_t i = 0; i < record.stages.size(); ++i) {
    record.stages[i].seconds = timed.stage_seconds[i];
  }
}

// Allocations and thread starts that neither the samples tell nor a reason of the child's.
void explain_counts(Record& record) {
  Probes& probes = record.facts.probes ? *record.facts.probes : record.facts.probes.emplace();
  auto& missing =
      probes.missing_readings ? *probes.missing_readings : probes.missing_readings.emplace();
  for (const char* name : kCountReadings) {
    const bool is_told = std::ranges::any_of(
        record.samples, [&](const SampleRecord& own) { return own.readings.contains(name); });
    if (!is_told && !missing.contains(name)) {
      missing[name] = "the child does not count them";
    }
  }
}

}  // namespace

Record start_record(const CaseSpec& spec) {
  const Program program = training_program(spec);
  Record record;
  record.spec = to_json(spec);
  record.reproduce = reproduce_command(spec);
  record.flops_per_step = flops_of_all_ranks(spec, program);
  record.parameters = count_parameters(program).total();
  return record;
}

void end_record(Record& record, Outcome outcome, const std::string& reason, ExitCode code) {
  record.outcome = outcome;
  if (code == ExitCode::bad_input && is_fault(outcome)) {
    record.facts.bad_input = true;
  }
  if (code == ExitCode::cannot_here && is_fault(outcome)) {
    record.facts.cannot_here = true;
  }
  record.reason = reason.empty() ? std::string(to_string(outcome)) : reason;
}

ExitCode code_of_fault(const Record& record) {
  return record.facts.bad_input == true                                  ? ExitCode::bad_input
         : record.facts.cannot_here == true                              ? ExitCode::cannot_here
         : is_fault_of_ours(record.spec.value("backend", std::string())) ? ExitCode::internal
                                                                         : ExitCode::answer_is_no;
}

ExitCode exit_code(const Report& report) {
  const auto any = [&report](std::initializer_list<Outcome> outcomes) {
    return std::any_of(report.records.begin(), report.records.end(), [&](const Record& record) {
      return std::find(outcomes.begin(), outcomes.end(), record.outcome) != outcomes.end();
    });
  };
  ExitCode code = ExitCode::done;
  for (const Record& record : report.records) {
    if (record.outcome == Outcome::crashed || record.outcome == Outcome::failed ||
        record.outcome == Outcome::timeout) {
      code = worse(code, code_of_fault(record));
    } else if (record.outcome == Outcome::invalid || record.outcome == Outcome::diverged) {
      code = worse(code, ExitCode::answer_is_no);
    }
  }
  if (code != ExitCode::done) {
    return code;
  }
  return any({Outcome::ok, Outcome::overhead}) ? ExitCode::done : ExitCode::cannot_here;
}

void keep_plan(const PlannedMessage& planned, int copies, Record& record) {
  record.memory.planned_bytes = unsigned_bytes(planned.planned_bytes);
  record.memory.plan_by_purpose = planned.plan_by_purpose;
  if (record.memory.planned_bytes) {
    *record.memory.planned_bytes *= static_cast<std::uint64_t>(copies);
  }
  for (auto& purpose : record.memory.plan_by_purpose.items()) {
    purpose.value() = purpose.value().get<std::int64_t>() * copies;
  }
  record.facts.plan_exact = planned.exact;
}

void keep_measurement(const CaseSpec& spec, std::span<const Exchange> copies, Record& record) {
  const SideBySide times = side_by_side(copies, spec.warmup);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    keep_samples(spec, copies, i, times, record);
  }
  record.memory.peak_bytes = sum_of(copies, [](const Exchange& own) { return own.peak_bytes; });
  if (copies.size() > 1) {
    record.facts.copies = copies_of(copies, times);
  }
  const Exchange& first = copies.front();
  const bool is_whole = std::ranges::none_of(copies, &has_fault);
  if (is_whole && !first.probes.empty()) {
    keep_probes(record, first.probes);
    share_energy(spec, record);
  }
  if (!std::ranges::all_of(copies, [](const Exchange& own) { return own.ready.has_value(); })) {
    return;
  }
  check_inputs(copies);
  record.compile_seconds = longest_compile(copies);
  record.memory.base_bytes =
      sum_of(copies, [](const Exchange& own) { return own.ready->base_bytes; });
  record.memory.allocated_bytes =
      sum_of(copies, [](const Exchange& own) { return own.ready->allocated_bytes; });
  keep_memory_limit(spec, copies, record);
  record.input_sha256 = text_or_none(first.ready->batch_sha256);
  record.weights_sha256 = text_or_none(first.ready->weights_sha256);
  keep_execution(record, first.ready->execution);
  keep_stages(first, record);
}

void explain_gaps(Record& record) {
  MemoryRecord& memory = record.memory;
  if (!memory.planned_bytes || !memory.allocated_bytes || !memory.base_bytes ||
      !memory.peak_bytes) {
    memory.reason = record.reason.value_or("the child does not report it");
  }
  if (record.outcome == Outcome::ok && (!record.input_sha256 || !record.weights_sha256)) {
    record.reason = "the child does not report the hashes of its batch and initial weights";
  }
  if (publishes_times(record.outcome)) {
    explain_counts(record);
  }
}

}  // namespace voxmark

#include "benches/run/case_record.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/error.h"
#include "benches/probes/interference.h"
#include "benches/probes/readings.h"
#include "benches/protocol/case_work.h"
#include "benches/protocol/contender.h"
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

SampleRecord to_sample(const StepMessage& step, int threads) {
  SampleRecord sample{StepTimes{step.load_seconds, step.forward_backward_seconds,
                                step.update_seconds, step.step_seconds},
                      step.loss, step.warmup, step.readings};
  if (const auto found = taints(step.readings, step.step_seconds, threads); !found.empty()) {
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

void keep_plan(const PlannedMessage& planned, Record& record) {
  record.memory.planned_bytes = unsigned_bytes(planned.planned_bytes);
  record.memory.plan_by_purpose = planned.plan_by_purpose;
  record.facts.plan_exact = planned.exact;
}

void keep_measurement(const CaseSpec& spec, const Exchange& timed, Record& record) {
  for (const StepMessage& step : timed.steps) {
    record.samples.push_back(to_sample(step, spec.threads));
  }
  record.memory.peak_bytes = unsigned_bytes(timed.peak_bytes);
  if (!timed.fault && !timed.probes.empty()) {
    keep_probes(record, timed.probes);
  }
  if (!timed.ready) {
    return;
  }
  record.compile_seconds = timed.ready->compile_seconds;
  record.memory.base_bytes = unsigned_bytes(timed.ready->base_bytes);
  record.memory.allocated_bytes = unsigned_bytes(timed.ready->allocated_bytes);
  constexpr double kBesidePlan = 1.05;  // libraries and threads take a few MiB of their own
  const std::int64_t taken = timed.peak_bytes.value_or(0) - timed.ready->base_bytes.value_or(0);
  if (spec.memory_limit_bytes &&
      static_cast<double>(taken) > kBesidePlan * static_cast<double>(*spec.memory_limit_bytes)) {
    record.facts.beyond_memory_limit = {taken, *spec.memory_limit_bytes};
  }
  record.input_sha256 = text_or_none(timed.ready->batch_sha256);
  record.weights_sha256 = text_or_none(timed.ready->weights_sha256);
  keep_execution(record, timed.ready->execution);
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

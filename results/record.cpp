#include "results/record.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "base/sha256.h"
#include "results/slow_kernel.h"

namespace voxmark {
namespace {

constexpr std::array<std::pair<Outcome, std::string_view>, 10> kOutcomes = {{
    {Outcome::ok, "ok"},
    {Outcome::overhead, "overhead"},
    {Outcome::skipped, "skipped"},
    {Outcome::infeasible, "infeasible"},
    {Outcome::invalid, "invalid"},
    {Outcome::diverged, "diverged"},
    {Outcome::oom, "oom"},
    {Outcome::crashed, "crashed"},
    {Outcome::timeout, "timeout"},
    {Outcome::failed, "failed"},
}};

template <class Value>
Json optional_to_json(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// A member that is missing or null is nothing.
template <class Value>
std::optional<Value> optional_from_json(const Json& object, const char* key) {
  const auto member = object.find(key);
  if (member == object.end() || member->is_null()) {
    return std::nullopt;
  }
  return member->get<Value>();
}

Json object_from_json(const Json& object, const char* key) {
  return object.contains(key) ? object[key] : Json::object();
}

template <class Facts>
Json details_to_json(const Json& others, const Facts& facts) {
  Json details = others;
  put_members(details, facts);
  return details;
}

Json sample_to_json(const SampleRecord& sample, bool with_times) {
  Json json = Json::object();
  if (with_times && sample.times) {
    json["load_seconds"] = sample.times->load_seconds;
    json["forward_backward_seconds"] = sample.times->forward_backward_seconds;
    json["update_seconds"] = sample.times->update_seconds;
    json["step_seconds"] = sample.times->step_seconds;
  }
  json["loss"] = number_to_json(sample.loss);
  json["warmup"] = sample.warmup;
  // Readings time the step too: task clock, cycles.
  json["readings"] = with_times ? sample.readings : Json::object();
  if (sample.copy) {
    json["copy"] = *sample.copy;
  }
  if (sample.alone) {
    json["alone"] = true;
  }
  return json;
}

SampleRecord sample_from_json(const Json& json) {
  SampleRecord sample;
  if (json.contains("step_seconds")) {
    sample.times = StepTimes{
        json.at("load_seconds").get<double>(), json.at("forward_backward_seconds").get<double>(),
        json.at("update_seconds").get<double>(), json.at("step_seconds").get<double>()};
  }
  sample.loss = number_from_json(json.at("loss"), "loss");
  sample.warmup = json.at("warmup").get<bool>();
  sample.readings = object_from_json(json, "readings");
  sample.copy = optional_from_json<std::int64_t>(json, "copy");
  sample.alone = json.value("alone", false);
  return sample;
}

Json stage_to_json(const StageRecord& stage, bool with_times) {
  Json json = {{"ops", stage.ops},
               {"implementation", stage.implementation},
               {"layout", stage.layout},
               {"isa", stage.isa},
               {"recomputed", stage.recomputed}};
  if (!stage.kind.empty()) {
    json["kind"] = stage.kind;
    json["direction"] = stage.direction;
  }
  if (stage.slow) {
    json["slow"] = *stage.slow;
  }
  if (with_times && stage.seconds) {
    json["seconds"] = *stage.seconds;
  }
  return json;
}

StageRecord stage_from_json(const Json& json) {
  return {json.at("ops").get<std::vector<std::string>>(),
          json.at("implementation").get<std::string>(),
          json.at("layout").get<std::string>(),
          json.at("isa").get<std::string>(),
          json.at("recomputed").get<bool>(),
          json.value("kind", ""),
          json.value("direction", ""),
          optional_from_json<double>(json, "seconds"),
          optional_from_json<bool>(json, "slow")};
}

Json memory_to_json(const MemoryRecord& memory, const std::optional<std::string>& record_reason) {
  const bool complete =
      memory.planned_bytes && memory.allocated_bytes && memory.base_bytes && memory.peak_bytes;
  return {{"planned_bytes", optional_to_json(memory.planned_bytes)},
          {"allocated_bytes", optional_to_json(memory.allocated_bytes)},
          {"base_bytes", optional_to_json(memory.base_bytes)},
          {"peak_bytes", optional_to_json(memory.peak_bytes)},
          {"plan_by_purpose", memory.plan_by_purpose},
          // A case that never ran has no figures for the reason that it never ran.
          {"reason", optional_to_json(memory.reason || complete ? memory.reason : record_reason)}};
}

MemoryRecord memory_from_json(const Json& json) {
  MemoryRecord memory;
  memory.planned_bytes = optional_from_json<std::uint64_t>(json, "planned_bytes");
  memory.allocated_bytes = optional_from_json<std::uint64_t>(json, "allocated_bytes");
  memory.base_bytes = optional_from_json<std::uint64_t>(json, "base_bytes");
  memory.peak_bytes = optional_from_json<std::uint64_t>(json, "peak_bytes");
  memory.plan_by_purpose = object_from_json(json, "plan_by_purpose");
  memory.reason = optional_from_json<std::string>(json, "reason");
  return memory;
}

Json verification_to_json(const std::optional<VerificationRecord>& verification) {
  if (!verification) {
    return nullptr;
  }
  Json worst = nullptr;
  if (verification->worst) {
    worst = {{"tensor", verification->worst->tensor},
             {"error", number_to_json(verification->worst->error)},
             {"tolerance", verification->worst->tolerance}};
  }
  return {{"verified", verification->verified},
          {"against", verification->against},
          {"image", verification->image},
          {"worst", worst},
          {"details", details_to_json(verification->details, verification->facts)},
          {"reason", optional_to_json(verification->reason)}};
}

std::optional<VerificationRecord> verification_from_json(const Json& json) {
  if (json.is_null()) {
    return std::nullopt;
  }
  VerificationRecord verification;
  verification.verified = json.at("verified").get<bool>();
  verification.against = json.at("against").get<std::string>();
  verification.image = json.at("image").get<std::vector<std::int64_t>>();
  if (const Json& worst = json.at("worst"); !worst.is_null()) {
    verification.worst = TensorError{worst.at("tensor").get<std::string>(),
                                     number_from_json(worst.at("error"), "error"),
                                     worst.at("tolerance").get<double>()};
  }
  verification.reason = optional_from_json<std::string>(json, "reason");
  verification.details = object_from_json(json, "details");
  verification.facts = take_members<VerificationFacts>(verification.details);
  return verification;
}

}  // namespace

bool StageRecord::is_slow() const { return slow.value_or(is_slow_kernel(implementation)); }

std::string_view to_string(Outcome outcome) {
  for (const auto& [value, text] : kOutcomes) {
    if (value == outcome) {
      return text;
    }
  }
  throw_internal("outcome: {} has no name", static_cast<int>(outcome));
}

Outcome parse_outcome(std::string_view text) {
  for (const auto& [value, name] : kOutcomes) {
    if (name == text) {
      return value;
    }
  }
  throw_bad_input("outcome: \"{}\" is unknown", text);
}

bool publishes_times(Outcome outcome) {
  return outcome == Outcome::ok || outcome == Outcome::overhead;
}

Json to_json(const Record& record) {
  const bool with_times = publishes_times(record.outcome);
  Json samples = Json::array();
  for (const SampleRecord& sample : record.samples) {
    samples.push_back(sample_to_json(sample, with_times));
  }
  Json stages = Json::array();
  for (const StageRecord& stage : record.stages) {
    stages.push_back(stage_to_json(stage, with_times));
  }
  return {
      {"case", record.spec},
      {"outcome", to_string(record.outcome)},
      {"reason", optional_to_json(record.reason)},
      {"reproduce", record.reproduce},
      {"verification", verification_to_json(record.verification)},
      {"memory", memory_to_json(record.memory, record.reason)},
      {"compile_seconds", with_times ? optional_to_json(record.compile_seconds) : Json(nullptr)},
      {"flops_per_step", optional_to_json(record.flops_per_step)},
      {"parameters", optional_to_json(record.parameters)},
      {"input_sha256", optional_to_json(record.input_sha256)},
      {"weights_sha256", optional_to_json(record.weights_sha256)},
      {"samples", std::move(samples)},
      {"stages", std::move(stages)},
      {"details", details_to_json(record.details, record.facts)}};
}

Record record_from_json(const Json& json) {
  Record record;
  record.spec = json.at("case");
  record.outcome = parse_outcome(json.at("outcome").get<std::string>());
  record.reason = optional_from_json<std::string>(json, "reason");
  record.reproduce = json.at("reproduce").get<std::string>();
  record.verification = verification_from_json(json.at("verification"));
  record.memory = memory_from_json(json.at("memory"));
  record.compile_seconds = optional_from_json<double>(json, "compile_seconds");
  record.flops_per_step = optional_from_json<std::int64_t>(json, "flops_per_step");
  record.parameters = optional_from_json<std::int64_t>(json, "parameters");
  record.input_sha256 = optional_from_json<std::string>(json, "input_sha256");
  record.weights_sha256 = optional_from_json<std::string>(json, "weights_sha256");
  for (const Json& sample : json.at("samples")) {
    record.samples.push_back(sample_from_json(sample));
  }
  for (const Json& stage : json.at("stages")) {
    record.stages.push_back(stage_from_json(stage));
  }
  record.details = object_from_json(json, "details");
  record.facts = take_members<RecordFacts>(record.details);
  return record;
}

void keep_probes(Record& record, const Json& told) {
  Json others = told;
  record.facts.probes = take_members<Probes>(others);
  if (!others.empty()) {
    record.details["probes"] = std::move(others);
  }
}

void keep_execution(Record& record, const Json& told) {
  Json others = told;
  record.facts.execution = take_members<Execution>(others);
  if (!others.empty()) {
    record.details["execution"] = std::move(others);
  }
}

std::string case_key(const Json& spec) {
  const nlohmann::json sorted = spec;  // the plain type keeps its keys in order
  return sha256_hex(sorted.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
}

}  // namespace voxmark

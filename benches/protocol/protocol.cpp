#include "benches/protocol/protocol.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "results/member_types.h"
#include "results/record_facts.h"

namespace voxmark {
namespace {

template <class Enum>
struct Named {
  std::string_view name;
  Enum value;
};

constexpr Named<ChildMode> kModes[] = {{"plan", ChildMode::plan},
                                       {"verify", ChildMode::verify},
                                       {"time", ChildMode::time},
                                       {"check", ChildMode::check}};
constexpr Named<ErrorKind> kErrorKinds[] = {{"bad_input", ErrorKind::bad_input},
                                            {"out_of_memory", ErrorKind::out_of_memory},
                                            {"internal", ErrorKind::internal}};

template <class Enum, std::size_t N>
std::string name_of(const Named<Enum> (&names)[N], Enum value) {
  for (const Named<Enum>& entry : names) {
    if (entry.value == value) {
      return std::string(entry.name);
    }
  }
  throw_internal("protocol: a value without a name");
}

template <class Enum, std::size_t N>
Enum value_of(const Named<Enum> (&names)[N], const std::string& name, std::string_view key) {
  for (const Named<Enum>& entry : names) {
    if (entry.name == name) {
      return entry.value;
    }
  }
  throw_bad_input("child protocol: {}: \"{}\" is unknown", key, name);
}

Json nullable(const std::optional<std::int64_t>& bytes) { return bytes ? Json(*bytes) : Json(); }

// ---- Reading one message's keys ----

class Fields {
 public:
  // `what` the line is, for messages: "planned".
  Fields(const Json& json, std::string what) : json_(json), what_(std::move(what)) {}

  const Json& at(const char* key, std::string_view expected) const {
    if (!json_.contains(key)) {
      throw_bad_input("child protocol: {}: \"{}\" is missing, expected {}", what_, key, expected);
    }
    return json_.at(key);
  }

  std::string text(const char* key) const {
    const Json& value = at(key, kText);
    if (!value.is_string()) {
      wrong(key, kText, value);
    }
    return value.get<std::string>();
  }

  std::string text_or_empty(const char* key) const { return json_.contains(key) ? text(key) : ""; }

  bool flag(const char* key) const {
    const Json& value = at(key, kFlag);
    if (!value.is_boolean()) {
      wrong(key, kFlag, value);
    }
    return value.get<bool>();
  }

  std::int64_t count(const char* key) const {
    const Json& value = at(key, kCount);
    if (!is_count(value)) {
      wrong(key, kCount, value);
    }
    return value.get<std::int64_t>();
  }

  std::optional<std::int64_t> nullable_count(const char* key) const {
    if (!json_.contains(key) || json_.at(key).is_null()) {
      return std::nullopt;
    }
    return count(key);
  }

  double number(const char* key) const { return number(key, "a number"); }

  double seconds(const char* key) const { return seconds(key, at(key, kSeconds)); }

  // An array of seconds and nulls; none where the key is missing.
  std::vector<std::optional<double>> seconds_or_nulls(const char* key) const {
    std::vector<std::optional<double>> values;
    for (const Json& value : array_or_empty(key)) {
      values.push_back(value.is_null() ? std::nullopt : std::optional(seconds(key, value)));
    }
    return values;
  }

  Json object_or_empty(const char* key) const {
    if (!json_.contains(key)) {
      return Json::object();
    }
    if (!json_.at(key).is_object()) {
      wrong(key, "an object", json_.at(key));
    }
    return json_.at(key);
  }

  // What readers of a report look into must have the shape that they expect.
  Json probes(const char* key) const {
    Json values = object_or_empty(key);
    for (const char* name : {"counters", "energy", "missing_readings", "observed_step"}) {
      expect_shape(values.contains(name), values, {key, name}, Json::value_t::object);
    }
    expect_shape(values.contains("threads"), values, {key, "threads"}, Json::value_t::array);
    const Json counters = values.value("counters", Json::object());
    expect_shape(counters.contains("events"), counters, {"probes.counters", "events"},
                 Json::value_t::object);
    expect_members<Probes>(key, values);
    return values;
  }

  // Likewise: what a report describes has its type; what else there is is anything.
  Json execution(const char* key) const {
    Json values = object_or_empty(key);
    expect_members<Execution>(key, values);
    return values;
  }

  // An array of objects with "ops"; empty where the key is missing.
  Json stages(const char* key) const {
    Json values = array_or_empty(key);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::string place = fmt::format("{}[{}]", key, i);
      const Json& stage = values[i];
      if (!stage.is_object()) {
        wrong(place.c_str(), "an object", stage);
      }
      const Json ops = stage.value("ops", Json());
      if (!ops.is_array() || ops.empty() ||
          !std::ranges::all_of(ops, [](const Json& op) { return op.is_string(); })) {
        wrong((place + ".ops").c_str(), "an array of texts", ops);
      }
      for (const char* name : {"implementation", "layout", "isa", "kind", "direction"}) {
        expect_shape(stage.contains(name), stage, {place, name}, Json::value_t::string);
      }
      for (const char* name : {"recomputed", "slow"}) {
        expect_shape(stage.contains(name), stage, {place, name}, Json::value_t::boolean);
      }
    }
    return values;
  }

  // An object of counts; empty where the key is missing.
  Json counts(const char* key) const {
    Json values = object_or_empty(key);
    for (const auto& item : values.items()) {
      if (!is_count(item.value())) {
        wrong(fmt::format("{}.{}", key, item.key()).c_str(), "an integer of 0 or more",
              item.value());
      }
    }
    return values;
  }

  // SHA-256 in hexadecimal digits; "" where the key is missing or the text is empty.
  std::string sha256_or_empty(const char* key) const {
    std::string text = text_or_empty(key);
    constexpr std::size_t kDigits = 64;
    if (!text.empty() && (text.size() != kDigits ||
                          text.find_first_not_of("0123456789abcdef") != std::string::npos)) {
      wrong(key, "64 hexadecimal digits", text);
    }
    return text;
  }

  // An object of finite numbers, none below 0; empty where the key is missing.
  Json readings(const char* key) const {
    Json values = object_or_empty(key);
    for (const auto& item : values.items()) {
      const Json& value = item.value();
      if (!value.is_number() || !(value.get<double>() >= 0) || std::isinf(value.get<double>())) {
        wrong(fmt::format("{}.{}", key, item.key()).c_str(), "a number of 0 or more", value);
      }
    }
    return values;
  }

  Json array_or_empty(const char* key) const {
    if (!json_.contains(key)) {
      return Json::array();
    }
    if (!json_.at(key).is_array()) {
      wrong(key, "an array", json_.at(key));
    }
    return json_.at(key);
  }

  Dims dims(const char* key) const {
    const Json& value = at(key, kDims);
    if (!value.is_array() || value.size() != 3 || !is_count(value[0]) || !is_count(value[1]) ||
        !is_count(value[2])) {
      wrong(key, kDims, value);
    }
    return {value[0].get<std::int64_t>(), value[1].get<std::int64_t>(),
            value[2].get<std::int64_t>()};
  }

 private:
  static constexpr std::string_view kText = "a text", kFlag = "true or false",
                                    kCount = "an integer of 0 or more", kSeconds = "seconds",
                                    kDims = "three extents";

  struct Place {
    std::string_view where;
    const char* name;
  };
  void expect_shape(bool is_there, const Json& object, const Place& place,
                    Json::value_t shape) const {
    if (is_there && object.at(place.name).type() != shape) {
      const char* expected = shape == Json::value_t::object    ? "an object"
                             : shape == Json::value_t::array   ? "an array"
                             : shape == Json::value_t::boolean ? "true or false"
                                                               : "a text";
      wrong(fmt::format("{}.{}", place.where, place.name).c_str(), expected, object.at(place.name));
    }
  }

  template <class Struct>
  void expect_members(const char* key, const Json& object) const {
    if (const auto found = wrong_member<Struct>(object)) {
      wrong(fmt::format("{}.{}", key, found->path).c_str(), found->expected, found->found);
    }
  }

  double number(const char* key, std::string_view expected) const {
    return number_from_json(at(key, expected), fmt::format("child protocol: {}: {}", what_, key));
  }

  double seconds(const char* key, const Json& json) const {
    constexpr double kMost = 1e12;  // as a report's schema
    const double value = number_from_json(json, fmt::format("child protocol: {}: {}", what_, key));
    if (!(value >= 0 && value <= kMost)) {
      wrong(key, kSeconds, json);
    }
    return value;
  }

  static bool is_count(const Json& value) {
    constexpr std::uint64_t kMost = std::uint64_t{1} << 53;
    return value.is_number_unsigned() && value.get<std::uint64_t>() <= kMost;
  }

  [[noreturn]] void wrong(const char* key, std::string_view expected, const Json& value) const {
    throw_bad_input("child protocol: {}: {}: expected {}, found {}", what_, key, expected,
                    dump_json(value));
  }

  const Json& json_;
  std::string what_;
};

// ---- One pair of functions per message ----

Json to_json(const PlannedMessage& message) {
  return {{"type", "planned"},
          {"planned_bytes", nullable(message.planned_bytes)},
          {"exact", message.exact},
          {"plan_by_purpose", message.plan_by_purpose}};
}

PlannedMessage planned_message(const Fields& fields) {
  return {fields.nullable_count("planned_bytes"), fields.flag("exact"),
          fields.counts("plan_by_purpose")};
}

Json to_json(const UnsupportedMessage& message) {
  return {{"type", "unsupported"}, {"reason", message.reason}};
}

Json to_json(const VerifiedMessage& message) {
  return {{"type", "verified"},
          {"image", {message.image.d, message.image.h, message.image.w}},
          {"batch", message.batch},
          {"checks", message.checks},
          {"tensor", message.tensor},
          {"error", number_to_json(message.error)},
          {"tolerance", message.tolerance},
          {"step_seconds", message.step_seconds},
          {"stages", message.stages},
          {"tensors", message.tensors},
          {"hint", message.hint}};
}

VerifiedMessage verified_message(const Fields& fields) {
  VerifiedMessage message;
  message.image = fields.dims("image");
  message.batch = fields.count("batch");
  message.checks = static_cast<int>(fields.count("checks"));
  message.tensor = fields.text("tensor");
  message.error = fields.number("error");
  message.tolerance = fields.number("tolerance");
  message.step_seconds = fields.seconds("step_seconds");
  message.stages = fields.stages("stages");
  message.tensors = fields.array_or_empty("tensors");
  message.hint = fields.text_or_empty("hint");
  return message;
}

Json to_json(const ComputedMessage& message) {
  return {{"type", "computed"}, {"step_seconds", message.step_seconds}};
}

Json to_json(const ReadyMessage& message) {
  return {{"type", "ready"},
          {"base_bytes", nullable(message.base_bytes)},
          {"allocated_bytes", nullable(message.allocated_bytes)},
          {"compile_seconds", message.compile_seconds},
          {"batch_sha256", message.batch_sha256},
          {"weights_sha256", message.weights_sha256},
          {"stages", message.stages},
          {"execution", message.execution}};
}

ReadyMessage ready_message(const Fields& fields) {
  ReadyMessage message;
  message.base_bytes = fields.nullable_count("base_bytes");
  message.allocated_bytes = fields.nullable_count("allocated_bytes");
  message.compile_seconds = fields.seconds("compile_seconds");
  message.batch_sha256 = fields.sha256_or_empty("batch_sha256");
  message.weights_sha256 = fields.sha256_or_empty("weights_sha256");
  message.stages = fields.stages("stages");
  message.execution = fields.execution("execution");
  return message;
}

Json to_json(const StepMessage& message) {
  Json json = {{"type", "step"},
               {"warmup", message.warmup},
               {"load_seconds", message.load_seconds},
               {"forward_backward_seconds", message.forward_backward_seconds},
               {"update_seconds", message.update_seconds},
               {"step_seconds", message.step_seconds},
               {"loss", number_to_json(message.loss)},
               {"readings", message.readings}};
  if (!message.gradient_norms.empty()) {
    Json norms = Json::object();
    for (const auto& [name, norm] : message.gradient_norms) {
      norms[name] = number_to_json(norm);
    }
    json["gradient_norms"] = std::move(norms);
  }
  return json;
}

StepMessage step_message(const Fields& fields) {
  StepMessage message;
  message.warmup = fields.flag("warmup");
  message.load_seconds = fields.seconds("load_seconds");
  message.forward_backward_seconds = fields.seconds("forward_backward_seconds");
  message.update_seconds = fields.seconds("update_seconds");
  message.step_seconds = fields.seconds("step_seconds");
  message.loss = fields.number("loss");
  message.readings = fields.readings("readings");
  const Json norms = fields.object_or_empty("gradient_norms");
  for (const auto& item : norms.items()) {
    message.gradient_norms[item.key()] = number_from_json(item.value(), item.key());
  }
  return message;
}

Json to_json(const DoneMessage& message) {
  Json json = {{"type", "done"},
               {"earlier_peak_bytes", nullable(message.earlier_peak_bytes)},
               {"probes", message.probes}};
  for (const std::optional<double>& seconds : message.stage_seconds) {
    json["stage_seconds"].push_back(seconds ? Json(*seconds) : Json());
  }
  return json;
}

DoneMessage done_message(const Fields& fields) {
  return {fields.nullable_count("earlier_peak_bytes"), fields.probes("probes"),
          fields.seconds_or_nulls("stage_seconds")};
}

Json to_json(const ErrorMessage& message) {
  return {{"type", "error"},
          {"kind", name_of(kErrorKinds, message.kind)},
          {"message", message.message}};
}

// Keys of a request that are left out where they are empty.
struct TextKey {
  const char* key;
  std::string Request::* text;
};
constexpr TextKey kTextKeys[] = {{"reference_path", &Request::reference_path},
                                 {"weights_path", &Request::weights_path},
                                 {"batch_path", &Request::batch_path},
                                 {"results_path", &Request::results_path},
                                 {"computed_by", &Request::computed_by}};

constexpr const char* kAwaitsStart = "awaits_start";  // left out where it is false

bool is_request_key(const std::string& key) {
  return key == "protocol" || key == "mode" || key == "case" || key == kAwaitsStart ||
         std::any_of(std::begin(kTextKeys), std::end(kTextKeys),
                     [&key](const TextKey& known) { return key == known.key; });
}

}  // namespace

Request request_of(ChildMode mode, const CaseSpec& spec, const std::string& reference_path) {
  Request request;
  request.mode = mode;
  request.spec = spec;
  request.spec.copies = 1;
  request.reference_path = reference_path;
  return request;
}

std::string to_line(const Request& request) {
  Json json = {{"protocol", kProtocol},
               {"mode", name_of(kModes, request.mode)},
               {"case", to_json(request.spec)}};
  for (const auto& [key, text] : kTextKeys) {
    if (!(request.*text).empty()) {
      json[key] = request.*text;
    }
  }
  if (request.awaits_start) {
    json[kAwaitsStart] = true;
  }
  return dump_json(json);
}

std::string to_line(const Message& message) {
  return dump_json(std::visit([](const auto& value) { return to_json(value); }, message));
}

Request parse_request(const std::string& line) {
  const Json json = parse_json(line, "child protocol");
  const Fields fields(json, "request");
  const std::string protocol = fields.text("protocol");
  if (protocol != kProtocol) {
    throw_bad_input("child protocol: expected {}, found {}", kProtocol, protocol);
  }
  for (const auto& item : json.items()) {
    const std::string& key = item.key();
    if (!is_request_key(key)) {
      throw_bad_input("child protocol: key \"{}\" is unknown", key);
    }
  }
  Request request;
  request.mode = value_of(kModes, fields.text("mode"), "mode");
  request.spec = case_from_json(fields.at("case", "a case"), "case");
  for (const auto& [key, text] : kTextKeys) {
    request.*text = fields.text_or_empty(key);
  }
  request.awaits_start = json.contains(kAwaitsStart) && fields.flag(kAwaitsStart);
  return request;
}

Message parse_message(const std::string& line) {
  const Json json = parse_json(line, "child protocol");
  if (!json.is_object()) {
    throw_bad_input("child protocol: expected an object, found {}", json.type_name());
  }
  const std::string type = Fields(json, "a message").text("type");
  const Fields fields(json, type);
  if (type == "planned") {
    return planned_message(fields);
  }
  if (type == "unsupported") {
    return UnsupportedMessage{fields.text("reason")};
  }
  if (type == "verified") {
    return verified_message(fields);
  }
  if (type == "computed") {
    return ComputedMessage{fields.seconds("step_seconds")};
  }
  if (type == "ready") {
    return ready_message(fields);
  }
  if (type == "step") {
    return step_message(fields);
  }
  if (type == "done") {
    return done_message(fields);
  }
  if (type == "error") {
    return ErrorMessage{value_of(kErrorKinds, fields.text("kind"), "kind"), fields.text("message")};
  }
  throw_bad_input(
      "child protocol: type: \"{}\" is unknown, expected planned, computed, ready, step, done, "
      "unsupported or error",
      type);
}

}  // namespace voxmark

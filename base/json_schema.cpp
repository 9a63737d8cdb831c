#include "base/json_schema.h"

#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "base/error.h"

namespace voxmark {
namespace {

constexpr std::size_t kMaxShownBytes = 80;  // of a value that a message shows

// `records[3].outcome = "fine"` for valijson's {"<root>", "[records]", "[3]", "[outcome]"}. A
// container's value is left out: it would say little.
std::string place_text(const nlohmann::json& document, const std::vector<std::string>& context) {
  const nlohmann::json* value = &document;
  std::string path;
  for (const std::string& step : context) {
    if (step.size() < 2 || step.front() != '[') {
      continue;  // "<root>"
    }
    const std::string name = step.substr(1, step.size() - 2);
    if (value->is_array()) {
      value = &value->at(std::stoul(name));
      path += step;
    } else if (value->contains(name)) {
      value = &value->at(name);
      if (!path.empty()) {
        path += '.';
      }
      path += name;
    }
  }
  if (path.empty()) {
    path = "the document";
  }
  if (value->is_structured()) {
    return path;
  }
  std::string text = value->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > kMaxShownBytes) {
    text = text.substr(0, kMaxShownBytes) + "...";
  }
  return path + " = " + text;
}

}  // namespace

struct JsonSchema::State {
  valijson::Schema schema;
};

JsonSchema::JsonSchema(std::string_view text) : state_(std::make_unique<State>()) {
  // valijson's adapter reads nlohmann::json with sorted keys, not our ordered one.
  const nlohmann::json json = parse_json(text, "schema");
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(json), state_->schema);
  } catch (const std::exception& error) {
    throw_internal("schema: not a JSON Schema: {}", error.what());
  }
}

JsonSchema::~JsonSchema() = default;

void JsonSchema::check(const Json& document, std::string_view name) const {
  const nlohmann::json json = document;
  valijson::Validator validator;
  valijson::ValidationResults results;
  if (validator.validate(state_->schema, valijson::adapters::NlohmannJsonAdapter(json), &results)) {
    return;
  }
  // The deepest error is the cause; those above it only say that something below them failed.
  const valijson::ValidationResults::Error* cause = nullptr;
  for (const auto& error : results) {
    if (cause == nullptr || error.context.size() > cause->context.size()) {
      cause = &error;
    }
  }
  if (cause == nullptr) {
    throw_bad_input("{}: does not match its schema", name);
  }
  throw_bad_input("{}: {}: {}", name, place_text(json, cause->context), cause->description);
}

void check_schema_name(const Json& document, std::string_view name, std::string_view what,
                       std::string_view expected) {
  if (!document.is_object() || !document.contains("schema") || !document["schema"].is_string()) {
    throw_bad_input("{}: not a voxmark {}: no \"schema\", expected \"{}\"", name, what, expected);
  }
  const auto found = document["schema"].get<std::string>();
  if (found == expected) {
    return;
  }
  if (found.starts_with(expected.substr(0, expected.find('/') + 1))) {
    throw_bad_input("{}: {} of version {}, this program reads {}", name, what, found, expected);
  }
  throw_bad_input("{}: schema \"{}\", expected \"{}\"", name, found, expected);
}

}  // namespace voxmark

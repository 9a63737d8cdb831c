#include "workloads/cases/case_spec.h"

#include "base/error.h"
#include "base/shell_word.h"
#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

void check_keys(const Json& json, const std::string& name) {
  if (!json.is_object()) {
    throw_bad_input("{}: expected an object with a case, found {}", name, json.type_name());
  }
  for (const CaseField& field : case_fields()) {
    if (!field.is_optional && !json.contains(field.name)) {
      throw_bad_input("{}: key \"{}\" is missing", name, field.name);
    }
  }
  for (const auto& item : json.items()) {
    if (find_case_field(item.key()) == nullptr) {
      throw_bad_input("{}: key \"{}\" is unknown", name, item.key());
    }
  }
}

bool is_left_out(const CaseField& field, const CaseSpec& spec) {
  return field.is_optional && field.is_default(spec);
}

}  // namespace

void check(const CaseSpec& spec) {
  for (const CaseField& field : case_fields()) {
    if (!is_left_out(field, spec)) {
      check_value(field, field.read(spec), std::string(field.name));
    }
  }
}

Json to_json(const CaseSpec& spec) {
  Json json = Json::object();
  for (const CaseField& field : case_fields()) {
    if (!is_left_out(field, spec)) {
      json[std::string(field.name)] = field.read(spec);
    }
  }
  return json;
}

CaseSpec case_from_json(const Json& json, const std::string& name) {
  check_keys(json, name);
  CaseSpec spec;
  for (const CaseField& field : case_fields()) {
    const auto value = json.find(field.name);
    if (value == json.end() || (field.is_optional && value->is_null())) {
      continue;
    }
    check_value(field, *value, fmt::format("{}: {}", name, field.name));
    field.assign(spec, *value);
  }
  return spec;
}

std::string reproduce_command(const CaseSpec& spec) {
  std::string command = "voxmark run";
  for (const CaseField& field : case_fields()) {
    if (field.key.empty() || is_left_out(field, spec)) {
      continue;
    }
    command += " " + flag_of(field);
    if (field.type != FieldType::boolean) {  // which is there or not
      command += " " + shell_word(value_text(field, field.read(spec)));
    }
  }
  return command;
}

std::string describe(const CaseSpec& spec) {
  std::string text;
  for (const CaseField& field : case_fields()) {
    if (field.short_name.empty() || is_left_out(field, spec)) {
      continue;
    }
    text += text.empty() ? "" : " ";
    text += fmt::format(fmt::runtime(field.short_name), value_words(field, field.read(spec)));
  }
  return text;
}

}  // namespace voxmark

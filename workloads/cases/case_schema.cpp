#include "workloads/cases/case_schema.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "workloads/cases/case_fields.h"

namespace voxmark {
namespace {

Json integer_schema(const CaseField& field) {
  return {{"type", "integer"}, {"minimum", field.least}, {"maximum", field.most}};
}

Json extent_schema(const CaseField& field) {
  Json schema = integer_schema(field);
  schema["multipleOf"] = field.least;
  return schema;
}

Json image_schema(const CaseField& field) {
  return {{"type", "array"}, {"minItems", 3}, {"maxItems", 3}, {"items", extent_schema(field)}};
}

// What JSON holds of the field.
Json value_schema(const CaseField& field) {
  switch (field.type) {
    case FieldType::text:
      return {{"type", "string"}, {"minLength", 1}};
    case FieldType::choice:
      return {{"enum", field.choices}};
    case FieldType::image:
      return image_schema(field);
    case FieldType::integer:
    case FieldType::bytes:
      return integer_schema(field);
    case FieldType::number:
      return {{"type", "number"}, {"exclusiveMinimum", 0}};
    case FieldType::boolean:
      return {{"type", "boolean"}};
  }
  return {};
}

Json described(std::string_view meaning, const Json& schema) {
  Json result = {{"description", meaning}};
  result.update(schema);
  return result;
}

std::string_view json_meaning(const CaseField& field) {
  return field.json_meaning.empty() ? field.help : field.json_meaning;
}

// In reports, which programs of every version and of others write: shapes that readers rely on,
// without the limits of today's `voxmark run`.
Json reported_schema(const CaseField& field) {
  constexpr std::int64_t kMost = 65536;
  CaseField wide = field;
  wide.most = std::max(field.most, kMost);
  if (field.type == FieldType::image) {
    wide.least = 1;
  }
  return field.name == "isa" ? Json{{"type", "string"}} : value_schema(wide);
}

Json case_schema(bool of_reports) {
  Json required = Json::array();
  Json properties = Json::object();
  for (const CaseField& field : case_fields()) {
    if (!field.is_optional && (field.is_in_all_reports || !of_reports)) {
      required.push_back(field.name);
    }
    properties[std::string(field.name)] =
        described(json_meaning(field), of_reports ? reported_schema(field) : value_schema(field));
  }
  Json schema = {{"description", "One measurement. Written by write_case_files."},
                 {"type", "object"},
                 {"required", required}};
  if (!of_reports) {
    schema["additionalProperties"] = false;
  }
  schema["properties"] = properties;
  return schema;
}

// A number is a cube; bytes may be a text with a unit.
Json grid_value_schema(const CaseField& field) {
  if (field.type == FieldType::image) {
    return {{"anyOf", {extent_schema(field), image_schema(field)}}};
  }
  if (field.type == FieldType::bytes) {
    return {{"anyOf", {integer_schema(field), {{"type", "string"}}}}};
  }
  return value_schema(field);
}

Json list_schema(const Json& items) {
  return {{"type", "array"}, {"minItems", 1}, {"items", items}};
}

}  // namespace

Json protocol_case_schema() { return case_schema(false); }

Json report_case_schema() { return case_schema(true); }

Json grid_schema() {
  Json properties = Json::object();
  for (const CaseField& field : case_fields()) {
    if (field.key.empty()) {
      continue;
    }
    Json schema = grid_value_schema(field);
    if (field.is_axis) {
      const Json list = list_schema(schema);
      schema = field.type == FieldType::bytes ? Json{{"anyOf", {schema, list}}} : list;
    }
    properties[std::string(field.key)] =
        described(field.suite_meaning.empty() ? field.help : field.suite_meaning, schema);
  }
  properties["global_batch"] =
      described("instead of batch: images of all ranks together, an equal part for each",
                list_schema(integer_schema(*find_case_field("batch"))));
  return {{"description", "Every combination of these lists. Written by write_case_files."},
          {"type", "object"},
          {"additionalProperties", false},
          {"properties", properties}};
}

Json fields_for_readers() {
  Json fields = Json::array();
  for (const CaseField& field : case_fields()) {
    const char* meaning = field.meaning == FieldMeaning::contender  ? "contender"
                          : field.meaning == FieldMeaning::workload ? "workload"
                                                                    : "effort";
    fields.push_back({{"name", field.name},
                      {"key", field.key},
                      {"meaning", meaning},
                      {"leads", field.leads},
                      {"machine_chooses", field.machine_chooses},
                      {"told_by_benches", field.is_told_by_benches},
                      {"default", field.read(CaseSpec{})},
                      {"label", field.label},
                      {"label_of_one", field.label_of_one}});
  }
  return fields;
}

}  // namespace voxmark

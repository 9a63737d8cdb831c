#include "results/tricks_report.h"

#include "base/json_schema.h"

namespace voxmark {

Json read_tricks(const std::string& path) {
  Json json = read_json_file(path);
  check_schema_name(json, path, "suite of tricks", "voxmark.tricks/1");
  JsonSchema(tricks_schema_text()).check(json, path);
  return json;
}

}  // namespace voxmark

#include "results/report.h"

#include <ctime>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json_schema.h"
#include "results/journal.h"

namespace voxmark {
void validate_report(const Json& json, std::string_view name) {
  check_schema_name(json, name, "report", kReportSchemaName);
  static const JsonSchema schema(report_schema_text());  // takes longer to read than to apply
  schema.check(json, name);
}

Json to_json(const Report& report) {
  Json limits = report.header.other_limits;
  put_members(limits, report.header.limits);
  Json details = report.header.other_details;
  put_members(details, report.header.facts);
  Json records = Json::array();
  for (const Record& record : report.records) {
    records.push_back(to_json(record));
  }
  return {{"schema", kReportSchemaName},      {"created", report.header.created},
          {"voxmark", report.header.voxmark}, {"environment", report.header.environment},
          {"limits", std::move(limits)},      {"details", std::move(details)},
          {"records", std::move(records)}};
}

Report report_from_json(const Json& json, std::string_view name) {
  validate_report(json, name);
  Report report;
  report.header.created = json["created"].get<std::string>();
  report.header.voxmark = json["voxmark"];
  report.header.environment = json["environment"];
  report.header.other_limits = json["limits"];
  report.header.limits = take_members<RunLimits>(report.header.other_limits);
  if (json.contains("details")) {
    report.header.other_details = json["details"];
  }
  report.header.facts = take_members<RunFacts>(report.header.other_details);
  for (const Json& record : json["records"]) {
    report.records.push_back(record_from_json(record));
  }
  return report;
}

Report read_report(const std::string& path) {
  if (is_journal(path)) {
    Report report = read_journal(path).report;
    report.header.facts.partial = "the run was killed";
    return report;
  }
  return report_from_json(read_json_file(path), path);
}

void write_report(const std::string& path, const Report& report) {
  const Json json = to_json(report);
  try {
    validate_report(json, path);
  } catch (const Error& error) {
    throw_internal("{} (a fault of the program that writes it)", error.what());
  }
  AtomicFile file(path);
  file.write(dump_json(json, 1));
  file.write("\n");
  file.commit();
}

std::string iso_time(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace voxmark

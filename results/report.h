// A report: everything one run measured, in the format "voxmark.report/1" that
// results/report.schema.json defines. Reading checks the whole document before it is used.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "results/record.h"
#include "results/run_facts.h"

namespace voxmark {

constexpr std::string_view kReportSchemaName = "voxmark.report/1";

// What is known before the first case starts.
struct ReportHeader {
  std::string created;                 // from iso_time()
  Json voxmark = Json::object();       // version, commit, dirty, binary_sha256, reason
  Json environment = Json::object();   // the machine
  RunLimits limits;                    // what the run was held to
  RunFacts facts;                      // "details" in JSON: what was asked for and found
  Json other_limits = Json::object();  // what others added to both
  Json other_details = Json::object();
};

struct Report {
  ReportHeader header;
  std::vector<Record> records;
};

// The JSON Schema's text, part of the program.
std::string_view report_schema_text();

// Throws Error (bad_input) naming `name`, the place and what is wrong there; a report of another
// version is refused with both versions.
void validate_report(const Json& json, std::string_view name);

Json to_json(const Report& report);
// Validates first.
Report report_from_json(const Json& json, std::string_view name);

// Also of a journal (results/journal.h): the report that a run which was killed would have written
// so far, which says so. Throws Error (bad_input) when the file cannot be read or is not valid.
Report read_report(const std::string& path);

// Writes a temporary file and renames it. Throws Error: bad_input when `path` cannot be created,
// internal when writing fails or the report would break its own schema.
void write_report(const std::string& path, const Report& report);

// "2024-05-31T12:00:00Z"
std::string iso_time(std::chrono::system_clock::time_point time);

}  // namespace voxmark

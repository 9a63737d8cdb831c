// A case described once, as a table of its fields. Flags, suite files, the child protocol, reports,
// their schemas, tables and Python follow it: a new field is a member of CaseSpec and a row here.
// `write_case_files` then writes what is committed elsewhere.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/cases/case_spec.h"

namespace voxmark {

// image: three extents; bytes: an integer, which command lines give with a unit.
enum class FieldType { text, choice, image, integer, bytes, number, boolean };

// What it means for a comparison that two cases differ in a field.
enum class FieldMeaning {
  contender,  // the same work done in another way: their times are compared
  workload,   // another work: their times are not compared
  effort,     // the same case, measured for longer or read with other permissions
};

struct CaseField {
  std::string_view name;  // of the member in JSON
  std::string_view key;   // in suite files, and the flag's with dashes; "": none
  // Whether another value gives another batch or other initial weights. Without a default: a new
  // field has to say so.
  bool decides_inputs;
  FieldType type = FieldType::text;
  std::string_view help;                // of the flag
  std::string_view default_text = {};   // where CaseSpec{} does not tell it
  std::string_view json_meaning = {};   // in schemas, where it is not what the flag's help says
  std::string_view suite_meaning = {};  // likewise, of suite files
  std::string_view expected = {};       // of a text: "a name"
  std::int64_t least = 0;               // of integers, bytes, and each extent of an image
  std::int64_t most = 0;
  std::vector<std::string_view> choices = {};
  FieldMeaning meaning = FieldMeaning::workload;
  bool is_optional = false;          // JSON leaves it out where it is as in CaseSpec{}
  bool is_in_all_reports = true;     // false: reports of some versions lack it
  bool is_axis = true;               // a suite may list several values
  int nesting = 0;                   // of axes: the higher, the faster it changes in a suite's list
  bool names_files = false;          // its values may be names of files, which may have commas
  bool leads = false;                // every table and every label has it
  bool machine_chooses = false;      // machines that are compared may differ in it
  bool is_told_by_benches = false;   // bench_ops and bench_step write it, under its key
  std::string_view column = {};      // its header; "": none
  std::string_view short_name = {};  // its part of describe(), "batch {}"; "": none
  std::string_view label = {};       // its part of a label in Python's tables: "{} threads"
  std::string_view label_of_one = {};

  Json (*read)(const CaseSpec& spec) = nullptr;
  void (*assign)(CaseSpec& spec, const Json& value) = nullptr;  // of a value that it accepts

  bool is_default(const CaseSpec& spec) const { return read(spec) == read(CaseSpec{}); }
};

// In the order in which JSON has them.
std::span<const CaseField> case_fields();

// Null where there is none of that name.
const CaseField* find_case_field(std::string_view name);

// Throws Error (bad_input) with what the field expects; `place` stands in the message.
void check_value(const CaseField& field, const Json& value, const std::string& place);
// The value that a text of the command line means: "96x96x64", "8GiB". Throws as check_value().
Json parse_value(const CaseField& field, const std::string& text, const std::string& place);
// As the command line takes it: "96x96x64".
std::string value_text(const CaseField& field, const Json& value);
// As a person reads it: bytes with a unit.
std::string value_words(const CaseField& field, const Json& value);

// "--memory-limit".
std::string flag_of(const CaseField& field);

// Of a case in JSON, the members that tell it from other cases: without those of
// FieldMeaning::effort. Members that are no fields stay.
Json case_identity(const Json& spec);
// Of a case in JSON, all but which repeat it is.
Json without_process(Json spec);
// Of a case in JSON: the images of all its ranks.
double images_per_step(const Json& spec);
// Whether the ratio of the times of two cases means something.
bool same_workload(const Json& left, const Json& right);

}  // namespace voxmark

// write_case_files [--check] SOURCES: writes what is committed and follows from the table of a
// case's fields: parts of three schemas, and the table that Python reads. --check: only says which
// files are not as they would be written.
#include <fmt/format.h>

#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/json.h"
#include "workloads/cases/case_schema.h"

namespace voxmark {
namespace {

// A member a line, which is how people read and change it; `indent`: of the object's own line.
std::string lines_of(const Json& object, const std::string& indent) {
  std::string text = "{\n";
  std::size_t left = object.size();
  for (const auto& [key, value] : object.items()) {
    const bool is_nested = key == "properties";
    text += fmt::format("{}  \"{}\": {}{}\n", indent, key,
                        is_nested ? lines_of(value, indent + "  ") : dump_json(value),
                        --left > 0 ? "," : "");
  }
  return text + indent + "}";
}

// The definition `key` of a schema, which stands between lines of four blanks.
std::string with_definition(const std::string& text, const std::string& key, const Json& schema) {
  const std::string head = fmt::format("    \"{}\": ", key);
  const std::size_t begin = text.find("\n" + head) + 1;
  const std::size_t end = begin == 0 ? std::string::npos : text.find("\n    }", begin);
  if (end == std::string::npos) {
    throw Error(ExitCode::internal, fmt::format("no definition \"{}\"", key));
  }
  return text.substr(0, begin) + head + lines_of(schema, "    ") +
         text.substr(end + std::string("\n    }").size());
}

// One line each.
std::string list_of(const Json& fields) {
  std::string text = "[\n";
  for (std::size_t i = 0; i < fields.size(); ++i) {
    text += "  " + dump_json(fields[i]) + (i + 1 < fields.size() ? ",\n" : "\n");
  }
  return text + "]\n";
}

struct GeneratedFile {
  std::string path;
  std::string text;
};

std::vector<GeneratedFile> generated_files(const std::string& sources) {
  std::vector<GeneratedFile> files;
  const auto add_schema = [&](const std::string& path, const std::string& key, const Json& schema) {
    const std::string whole = sources + "/" + path;
    files.push_back({whole, with_definition(read_text_file(whole), key, schema)});
  };
  add_schema("benches/protocol/protocol.schema.json", "case", protocol_case_schema());
  add_schema("results/report.schema.json", "case", report_case_schema());
  add_schema("benches/suite/suite.schema.json", "grid", grid_schema());
  files.push_back(
      {sources + "/tools/reports/voxmark_reports/case_fields.json", list_of(fields_for_readers())});
  return files;
}

int write_case_files(std::span<char*> arguments) {
  const bool only_checks = arguments.size() == 3 && std::string(arguments[1]) == "--check";
  if (arguments.size() != 2 && !only_checks) {
    fmt::print("Usage: write_case_files [--check] SOURCES\n");
    return static_cast<int>(ExitCode::bad_input);
  }
  int stale = 0;
  for (const GeneratedFile& file : generated_files(arguments.back())) {
    if (only_checks && read_text_file(file.path) != file.text) {
      fmt::print("{}: not what workloads/cases/case_fields.cpp says: run write_case_files\n",
                 file.path);
      ++stale;
    }
    if (!only_checks) {
      AtomicFile output(file.path);
      output.write(file.text);
      output.commit();
    }
  }
  return stale > 0 ? 1 : 0;
}

}  // namespace
}  // namespace voxmark

int main(int argc, char** argv) {
  try {
    return voxmark::write_case_files({argv, static_cast<std::size_t>(argc)});
  } catch (const std::exception& error) {
    fmt::print("write_case_files: {}\n", error.what());
    return 1;
  }
}

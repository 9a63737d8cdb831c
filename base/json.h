// Strict JSON in, locale-free JSON out. nlohmann_json alone keeps the last of duplicate keys
// silently, accepts any depth, and its dump() throws on invalid UTF-8.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace voxmark {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxJsonDepth = 64;  // far past any document of ours

// Parses one document. `name` stands in messages (a file name, "--suite", ...).
// Throws Error (bad_input) on syntax errors, duplicate keys (naming the key), numbers that overflow
// double (1e400), depth past kMaxJsonDepth, and trailing text.
Json parse_json(std::string_view text, std::string_view name);

// A file's bytes, whatever they are. Throws Error (bad_input) when it cannot be read.
std::string read_text_file(const std::string& path);

// Reads and parses a file. Throws Error (bad_input) when it cannot be read or parsed.
Json read_json_file(const std::string& path);

// Serialises; bytes that are not UTF-8 become U+FFFD instead of an exception. indent < 0: one line.
// A NaN or infinity would be written as null without a reason: throws Error (internal) instead.
std::string dump_json(const Json& json, int indent = -1);

// A number that may not be finite, as a loss that diverged: "NaN", "Infinity" and "-Infinity" are
// written as texts, everything else as a number. number_from_json() reads both.
// It throws Error (bad_input) with `name` on anything else.
Json number_to_json(double number);
double number_from_json(const Json& json, std::string_view name);

}  // namespace voxmark

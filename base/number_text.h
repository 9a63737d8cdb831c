// Numbers for people to read, and as they type them.
#pragma once

#include <cstdint>
#include <string>

namespace voxmark {

// With that many significant digits, and never an exponent: 1234.6 -> "1235", 0.012346 ->
// "0.01235".
std::string significant(double value, int digits);

// In the unit that reads best, with three digits: "1.50 GiB", "12.0 MiB", "800 B".
std::string bytes_text(std::int64_t bytes);

// A round limit of at most so many bytes, as command lines take it: "22.1GiB", "912MiB".
std::string limit_text(std::int64_t bytes);

// "1073741824", "512MiB", "1.5GiB", "2GB". Throws Error (bad_input); `name` stands in the message.
std::int64_t parse_bytes(const std::string& text, const std::string& name);

// "1 thread", "2 threads"; "1 process", "2 processes".
std::string counted(std::int64_t count, const std::string& noun);

}  // namespace voxmark

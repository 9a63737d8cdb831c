#include "benches/suite/value_list.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <set>
#include <string_view>

#include "base/error.h"
#include "benches/protocol/contender.h"
#include "benches/protocol/external_command.h"
#include "benches/suite/suite.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {
namespace {

bool is_number(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool are_three_numbers(const std::vector<std::string>& values) {
  return values.size() == 3 && std::all_of(values.begin(), values.end(), is_number);
}

// "set, v2" as it lies on a disk; of "fold:N:" and "exec:" what stands behind.
bool is_file_name(const std::string& value) {
  constexpr std::string_view kFold = "fold:";
  std::string file = value;
  if (file.starts_with(kExternalPrefix)) {
    file.erase(0, std::string_view(kExternalPrefix).size());
  } else if (file.starts_with(kFold)) {
    const std::size_t colon = file.find(':', kFold.size());
    file.erase(0, colon == std::string::npos ? file.size() : colon + 1);
  }
  std::error_code error;
  return !file.empty() && std::filesystem::exists(file, error);
}

// "exec:PROGRAM ARGUMENTS" with a program that is there.
bool names_program(const std::string& value) {
  std::error_code error;
  return std::filesystem::is_regular_file(external_command(value).front(), error);
}

// "," joins parts[begin, end).
std::string joined(const std::vector<std::string>& parts, std::size_t begin, std::size_t end) {
  return fmt::format("{}", fmt::join(parts.begin() + static_cast<std::ptrdiff_t>(begin),
                                     parts.begin() + static_cast<std::ptrdiff_t>(end), ","));
}

// Where the value that begins at `begin` ends: the longest name of a file, else the shortest call
// of a program, else one part.
std::size_t value_end(const std::vector<std::string>& parts, std::size_t begin) {
  for (std::size_t end = parts.size(); end > begin + 1; --end) {
    if (is_file_name(joined(parts, begin, end))) {
      return end;
    }
  }
  if (parts[begin].starts_with(kExternalPrefix)) {
    for (std::size_t end = begin + 1; end <= parts.size(); ++end) {
      if (names_program(joined(parts, begin, end))) {
        return end;
      }
    }
  }
  return begin + 1;
}

}  // namespace

std::vector<std::string> split_files(const std::string& text, const std::string& name) {
  if (is_file_name(text)) {
    return {text};
  }
  const std::vector<std::string> parts = split_list(text, name);
  std::vector<std::string> values;
  for (std::size_t begin = 0; begin < parts.size();) {
    const std::size_t end = value_end(parts, begin);
    values.push_back(joined(parts, begin, end));
    begin = end;
  }
  return values;
}

void refuse_one_image_as_cubes(const std::vector<std::string>& images, const std::string& name) {
  const std::set<std::string> distinct(images.begin(), images.end());
  if (are_three_numbers(images) && distinct.size() == 2) {
    throw_bad_input(
        "{}: {} are three cubes, two of them the same; one image of three extents is {}", name,
        fmt::join(images, ","), fmt::join(images, "x"));
  }
}

std::string one_image_meant(const std::vector<std::string>& images) {
  const auto smaller = [](const std::string& left, const std::string& right) {
    return left.size() != right.size() ? left.size() < right.size() : left < right;
  };
  if (!are_three_numbers(images) || std::is_sorted(images.begin(), images.end(), smaller)) {
    return "";
  }
  return fmt::format("--image {}: three cubes; one image of three extents is {}",
                     fmt::join(images, ","), fmt::join(images, "x"));
}

}  // namespace voxmark

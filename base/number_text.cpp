#include "base/number_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <string_view>

#include "base/error.h"

namespace voxmark {

std::string significant(double value, int digits) {
  if (value == 0 || !std::isfinite(value)) {
    return fmt::format("{}", value);
  }
  const int before_point = static_cast<int>(std::floor(std::log10(std::abs(value)))) + 1;
  return fmt::format("{:.{}f}", value, std::max(0, digits - before_point));
}

std::string bytes_text(std::int64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  constexpr int kDigits = 3;
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{} {}", unit == 0 ? fmt::format("{}", bytes) : significant(value, kDigits),
                     kUnits[unit]);
}

std::string limit_text(std::int64_t bytes) {
  constexpr double kMiB = 0x1p20, kGiB = 0x1p30;
  const auto value = static_cast<double>(bytes);
  if (value >= kGiB) {
    return fmt::format("{:.1f}GiB", std::floor(10 * value / kGiB) / 10);
  }
  if (value >= kMiB) {
    return fmt::format("{:.0f}MiB", std::floor(value / kMiB));
  }
  return fmt::format("{}B", bytes);
}

std::int64_t parse_bytes(const std::string& text, const std::string& name) {
  static const std::map<std::string, double> kUnits = {
      {"", 1},      {"B", 1},        {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
      {"TB", 1e12}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};
  constexpr double kMost = 0x1p53;
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  const auto unit = error == std::errc() ? kUnits.find(std::string(stopped, end)) : kUnits.end();
  if (unit == kUnits.end() || !(value * unit->second >= 1) || !(value * unit->second < kMost)) {
    throw_bad_input("{}: expected bytes such as 8GiB or 500MB, found {}", name, text);
  }
  constexpr double kFewest = 1000;  // nobody means so few bytes by a bare number
  if (unit->first.empty() && value < kFewest) {
    throw_bad_input("{}: expected a unit, as in {}GiB, found {}", name, text, text);
  }
  return static_cast<std::int64_t>(value * unit->second);
}

std::string counted(std::int64_t count, const std::string& noun) {
  const char* plural = count == 1 ? "" : noun.ends_with('s') ? "es" : "s";
  return fmt::format("{} {}{}", count, noun, plural);
}

}  // namespace voxmark

#include "base/number_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace voxmark {

std::string significant(double value, int digits) {
  if (value == 0 || !std::isfinite(value)) return fmt::format("{}", value);
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
  if (value >= kGiB) return fmt::format("{:.1f}GiB", std::floor(10 * value / kGiB) / 10);
  if (value >= kMiB) return fmt::format("{:.0f}MiB", std::floor(value / kMiB));
  return fmt::format("{}B", bytes);
}

std::string counted(std::int64_t count, const std::string& noun) {
  const char* plural = count == 1 ? "" : noun.ends_with('s') ? "es" : "s";
  return fmt::format("{} {}{}", count, noun, plural);
}

}  // namespace voxmark

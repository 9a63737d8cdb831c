#include "benches/machine/dimms.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

namespace voxmark {
namespace {

// Offsets of SMBIOS 3.6, section 7.18.
constexpr std::size_t kSize = 0x0C;  // MiB, or KiB with the top bit set
constexpr std::size_t kMemoryType = 0x12;
constexpr std::size_t kExtendedSize = 0x1C;     // MiB, where kSize says 0x7fff
constexpr std::size_t kConfiguredSpeed = 0x20;  // million transfers per second
constexpr unsigned char kMemoryDevice = 17;

unsigned number(const std::string& bytes, std::size_t offset, std::size_t count) {
  unsigned value = 0;
  for (std::size_t i = count; i > 0; --i) {
    value = value << 8U | static_cast<unsigned char>(bytes.at(offset + i - 1));
  }
  return value;
}

std::string memory_type(unsigned code) {
  switch (code) {
    case 0x18:
      return "DDR3";
    case 0x1A:
      return "DDR4";
    case 0x1E:
      return "LPDDR4";
    case 0x20:
      return "HBM";
    case 0x21:
      return "HBM2";
    case 0x22:
      return "DDR5";
    case 0x23:
      return "LPDDR5";
    default:
      return "type " + std::to_string(code);
  }
}

}  // namespace

std::optional<Json> parse_dimm(const std::string& entry) {
  constexpr unsigned kSeeExtended = 0x7FFF;
  constexpr unsigned kUnknown = 0xFFFF;
  constexpr unsigned kInKibibytes = 0x8000;
  if (entry.size() < kConfiguredSpeed + 2 ||
      static_cast<unsigned char>(entry.front()) != kMemoryDevice) {
    return std::nullopt;
  }
  const unsigned size = number(entry, kSize, 2);
  if (size == 0 || size == kUnknown) {
    return std::nullopt;
  }
  std::uint64_t bytes = std::uint64_t{size} << 20U;
  if (size == kSeeExtended) {
    bytes = std::uint64_t{number(entry, kExtendedSize, 4)} << 20U;
  } else if ((size & kInKibibytes) != 0) {
    bytes = std::uint64_t{size & ~kInKibibytes} << 10U;
  }
  return Json{{"bytes", bytes},
              {"type", memory_type(number(entry, kMemoryType, 1))},
              {"mega_transfers_per_second", number(entry, kConfiguredSpeed, 2)}};
}

Json dimms(const std::string& root) {
  const std::string folder = root + "/sys/firmware/dmi/entries";
  std::set<std::filesystem::path> entries;  // sorted
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    if (entry.path().filename().string().starts_with("17-")) {
      entries.insert(entry.path());
    }
  }
  if (entries.empty()) {
    return {{"reason", "no memory modules in /sys/firmware/dmi/entries"}};
  }
  Json modules = Json::array();
  for (const auto& entry : entries) {
    std::ifstream file(entry / "raw", std::ios::binary);
    if (!file) {
      return {{"reason", "the firmware's tables are for root alone"}};
    }
    std::ostringstream bytes;
    bytes << file.rdbuf();
    if (auto module = parse_dimm(bytes.str())) {
      modules.push_back(std::move(*module));
    }
  }
  return modules;
}

}  // namespace voxmark

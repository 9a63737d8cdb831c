#include "base/own_program.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <system_error>

namespace voxmark {
namespace {

constexpr const char* kLink = "/proc/self/exe";

// As the kernel was told to start it. The auxiliary vector holds the string's address as a number.
std::string path_told_at_start() {
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  const auto* const told = reinterpret_cast<const char*>(std::uintptr_t{getauxval(AT_EXECFN)});
  return told == nullptr ? "" : told;
}

}  // namespace

std::string own_program() { return access(kLink, R_OK) == 0 ? kLink : own_program_path(); }

std::string own_program_path() {
  std::error_code failure;
  const std::filesystem::path linked = std::filesystem::read_symlink(kLink, failure);
  if (!failure) {
    return linked.string();
  }
  const std::filesystem::path whole = std::filesystem::canonical(path_told_at_start(), failure);
  return failure ? path_told_at_start() : whole.string();
}

}  // namespace voxmark

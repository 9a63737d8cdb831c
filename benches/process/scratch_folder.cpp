#include "benches/process/scratch_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <system_error>

#include "base/error.h"
#include "base/file_error.h"
#include "benches/process/guard.h"

namespace voxmark {

std::string make_scratch_folder(const std::string& prefix) {
  const char* variable = std::getenv("TMPDIR");
  const std::string place = variable == nullptr || *variable == '\0' ? "/tmp" : variable;
  std::random_device random;
  std::string path = fmt::format("{}/{}-{:08x}{:08x}", place, prefix, random(), random());
  guard_folder(path);  // before it is there: we may be killed at any moment
  if (mkdir(path.c_str(), S_IRWXU) != 0) {
    const int reason = errno;
    release_folder(path);
    throw_file_error("TMPDIR " + place, "no folder can be made in it", reason);
  }
  return path;
}

void remove_scratch_folder(const std::string& path) {
  if (path.empty()) {
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
  release_folder(path);
}

}  // namespace voxmark

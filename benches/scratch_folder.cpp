#include "benches/scratch_folder.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "benches/guard.h"

namespace voxmark {

std::string make_scratch_folder(const std::string& prefix) {
  const char* variable = std::getenv("TMPDIR");
  const std::string place = variable == nullptr || *variable == '\0' ? "/tmp" : variable;
  std::string path = place + "/" + prefix + "-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    throw_bad_input("TMPDIR {}: no folder can be made in it: {}", place, describe_errno(errno));
  }
  guard_folder(path);
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

#include "base/overwrite.h"

#include <filesystem>
#include <system_error>

#include "base/error.h"

namespace voxmark {

namespace fs = std::filesystem;

bool holds_something(const std::string& path) {
  std::error_code failure;
  return fs::is_regular_file(path, failure) && fs::file_size(path, failure) > 0;
}

void check_overwrite(const std::string& flag, const std::string& path, bool overwrite,
                     const std::string& otherwise) {
  if (!overwrite && holds_something(path)) {
    throw_bad_input("{}: {} is there already; --overwrite replaces it{}", flag, path, otherwise);
  }
}

std::string name_for_keeping(const std::string& path) {
  std::error_code failure;
  for (int number = 1;; ++number) {
    std::string name = fmt::format("{}.{}", path, number);
    if (fs::symlink_status(name, failure).type() == fs::file_type::not_found) {
      return name;
    }
  }
}

}  // namespace voxmark

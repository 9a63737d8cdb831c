#include "benches/loaded_libraries.h"

#include <link.h>

#include <filesystem>

#include "base/error.h"
#include "base/sha256.h"

namespace voxmark {

std::vector<LoadedLibrary> loaded_libraries() {
  std::vector<std::string> paths;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        const std::string name = info->dlpi_name == nullptr ? "" : info->dlpi_name;
        if (name.starts_with('/')) {  // not the program, nor the kernel's vdso
          static_cast<std::vector<std::string>*>(data)->push_back(name);
        }
        return 0;
      },
      &paths);
  std::vector<LoadedLibrary> libraries;
  for (const std::string& path : paths) {
    std::error_code failure;
    const std::filesystem::path target = std::filesystem::canonical(path, failure);
    LoadedLibrary library{failure ? path : target.string(), ""};
    try {
      library.sha256 = sha256_file(library.path);
    } catch (const Error&) {
      // Recorded without a hash.
    }
    libraries.push_back(std::move(library));
  }
  return libraries;
}

}  // namespace voxmark

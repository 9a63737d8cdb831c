#include "benches/machine/loaded_libraries.h"

#include <gnu/libc-version.h>
#include <link.h>

#include <filesystem>
#include <string_view>

#include "backends/registry/registry.h"
#include "base/error.h"
#include "base/sha256.h"

namespace voxmark {
namespace {

std::vector<std::string> loaded_paths() {
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
  return paths;
}

// "libgomp.so.1.0.0" -> "1.0.0". glibc's file has only a name, a backend's library no patch level.
std::string version_of(const std::string& file_name) {
  constexpr std::string_view kBefore = ".so.";
  if (file_name.starts_with("libc.so")) {
    return gnu_get_libc_version();
  }
  for (const BackendLibrary& library : backend_libraries()) {
    if (!library.file_name.empty() && file_name.starts_with(library.file_name)) {
      return library.version;
    }
  }
  const std::size_t found = file_name.find(kBefore);
  return found == std::string::npos ? "" : file_name.substr(found + kBefore.size());
}

}  // namespace

std::vector<LoadedLibrary> loaded_libraries() {
  std::vector<LoadedLibrary> libraries;
  for (const std::string& path : loaded_paths()) {
    std::error_code failure;
    const std::filesystem::path target = std::filesystem::canonical(path, failure);
    LoadedLibrary library{failure ? path : target.string(), version_of(target.filename()), ""};
    try {
      library.sha256 = sha256_file(library.path);
    } catch (const Error&) {
      // Recorded without a hash.
    }
    libraries.push_back(std::move(library));
  }
  return libraries;
}

std::string openmp_runtime() {
  for (const std::string& path : loaded_paths()) {
    const std::string name = std::filesystem::path(path).filename();
    for (const char* runtime : {"libgomp", "libiomp5", "libomp"}) {
      if (name.starts_with(std::string(runtime) + ".")) {
        return runtime;
      }
    }
  }
  return "";
}

}  // namespace voxmark

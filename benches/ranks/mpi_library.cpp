#include "benches/ranks/mpi_library.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "base/error.h"

namespace voxmark {

std::string mpi_plugin_path() {
  if (const char* path = std::getenv("VOXMARK_MPI"); path != nullptr && *path != '\0') {
    return path;
  }
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string path =
      (program.parent_path().parent_path() / "lib/voxmark/libvoxmark_mpi.so").string();
  return access(path.c_str(), R_OK) == 0 ? path : "";
}

const VoxmarkMpi& load_mpi_plugin(const std::string& path) {
  // Global: Open MPI's own plugins look for its symbols there.
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    throw Error(ExitCode::cannot_here, fmt::format("MPI plugin: {}", dlerror()));
  }
  using Entry = const VoxmarkMpi* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(library, "voxmark_mpi"));
  if (entry == nullptr) {
    throw Error(ExitCode::cannot_here,
                fmt::format("MPI plugin {}: it is no plugin of voxmark", path));
  }
  const VoxmarkMpi* table = entry();
  if (table->interface_version != VOXMARK_MPI_INTERFACE) {
    throw Error(ExitCode::cannot_here,
                fmt::format("MPI plugin {}: it was compiled for another voxmark (interface {}, "
                            "expected {}): compile it again, as docs/cluster.md says",
                            path, table->interface_version, VOXMARK_MPI_INTERFACE));
  }
  return *table;
}

std::string library_name(std::string_view text) {
  const std::size_t start = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  std::istringstream words{
      std::string(text.substr(start, text.find_first_of(",\r\n", start) - start))};
  std::string name;
  for (std::string word; words >> word;) {
    if (word != "Version:") {
      name += (name.empty() ? "" : " ") + word;
    }
  }
  return name;
}

}  // namespace voxmark

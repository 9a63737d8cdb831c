// The shared libraries of this process: a backend's kernels may live in one.
#pragma once

#include <string>
#include <vector>

namespace voxmark {

struct LoadedLibrary {
  std::string path;     // behind symbolic links
  std::string version;  // its own word, else what its file's name ends in: "2.6.3"; "" for none
  std::string sha256;   // "" where the file cannot be read
};

std::vector<LoadedLibrary> loaded_libraries();

// "libgomp", "libomp", "libiomp5": which OpenMP this process runs on; "" for none of these.
std::string openmp_runtime();

}  // namespace voxmark

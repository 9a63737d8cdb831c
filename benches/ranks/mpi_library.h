// The plugin of benches/ranks/mpi_plugin.h, found and loaded.
#pragma once

#include <string>

#include "benches/ranks/mpi_plugin.h"

namespace voxmark {

// $VOXMARK_MPI, or lib/voxmark/libvoxmark_mpi.so beside the folder of the program; "" where there
// is none.
std::string mpi_plugin_path();

// Stays loaded. Throws Error (cannot_here) with the loader's words, or naming the interface that
// the plugin was compiled for.
const VoxmarkMpi& load_mpi_plugin(const std::string& path);

}  // namespace voxmark

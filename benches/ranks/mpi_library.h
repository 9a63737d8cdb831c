// The plugin of benches/ranks/mpi_plugin.h, found and loaded.
#pragma once

#include <string>
#include <string_view>

#include "benches/ranks/mpi_plugin.h"

namespace voxmark {

// $VOXMARK_MPI, or lib/voxmark/libvoxmark_mpi.so beside the folder of the program; "" where there
// is none.
std::string mpi_plugin_path();

// Stays loaded. Throws Error (cannot_here) with the loader's words, or naming the interface that
// the plugin was compiled for.
const VoxmarkMpi& load_mpi_plugin(const std::string& path);

// Name and version, of what MPI_Get_library_version says, which may be many lines: "Open MPI
// v4.1.4", "MPICH 4.0.2".
std::string library_name(std::string_view text);

}  // namespace voxmark

// Which program starts ranks here: the one that --launcher names, srun inside a Slurm allocation,
// or the mpirun on PATH that belongs to the MPI which the ranks will load. Starts programs with
// --version and --mpi=list, and nothing else.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "benches/threads/thread_settings.h"

namespace voxmark {

enum class LauncherKind { open_mpi, mpich, intel, srun };

// "Open MPI", "MPICH", "Intel MPI", "Slurm".
std::string name_of(LauncherKind kind);

struct LauncherVersion {
  LauncherKind kind = LauncherKind::open_mpi;
  std::string version;  // "4.1.4"; "" where it is not told

  bool operator==(const LauncherVersion&) const = default;
};

// What `--version` of mpirun, mpiexec or srun says, or MPI_Get_library_version(); nothing where it
// is neither of them. Hydra is MPICH's mpirun, also where another MPI ships it.
std::optional<LauncherVersion> launcher_version(std::string_view text);

struct Launcher {
  LauncherVersion version;
  std::vector<std::string> words;  // the program and what the user adds to it: "mpirun", "-x", ...
  std::string pmi;                 // what srun is to serve ("pmix", "pmi2"); "": it chooses
  int ranks_per_host = 0;          // that the Slurm allocation is meant for; 0: not said
  int hosts = 0;                   // of the Slurm allocation; 0: not said
};

// "Open MPI 4.1.4", for messages; the words stand in the record.
std::string description(const Launcher& launcher);

// `given`: what --launcher says, words apart by blanks; "": none. `mpi`: of the library that the
// ranks load, as launcher_version(MPI_Get_library_version()) tells; nothing: any will do. Throws
// Error: bad_input where --launcher names no program, one that is no launcher, or one of another
// MPI; cannot_here where there is none, naming Debian's packages and --launcher.
Launcher find_launcher(const std::string& given, const std::optional<LauncherVersion>& mpi);

// Throws Error (bad_input) where this process is a rank of somebody's mpirun or srun already, or an
// mpirun has left its variables behind: ranks would take them for their own.
void check_outside_mpirun(const Variables& environment);
void check_outside_mpirun();  // of this process

// By which voxmark makes a process a rank: VOXMARK_RANKS..., VOXMARK_PLACE...
bool is_for_ranks_alone(const std::string& variable);

// Throws Error (bad_input) where one of these is left in the environment of a process that is no
// rank: all that it starts would take itself for one.
void check_no_rank(const Variables& environment);
void check_no_rank();  // this process

// This process's variables.
Variables own_variables();

// ---- Pure parts, for tests.

// Of what `srun --mpi=list` says, that which this MPI speaks; nothing where there is none.
std::optional<std::string> pmi_for(LauncherKind mpi, std::string_view list);

}  // namespace voxmark

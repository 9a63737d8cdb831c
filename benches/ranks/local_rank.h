// Which rank of its host this process is, before MPI starts: as the launcher's variables tell it.
// Pure.
#pragma once

#include <optional>

#include "benches/threads/thread_settings.h"

namespace voxmark {

struct LocalRank {
  int rank = 0;  // from 0, among those on its host
  int count = 1;

  bool operator==(const LocalRank&) const = default;
};

// As Open MPI (OMPI_COMM_WORLD_LOCAL_*), MPICH and Intel MPI (MPI_LOCAL*) or srun (SLURM_LOCALID)
// tell it, in this order: an allocation's variables stay where its mpirun starts ranks. Nothing
// where none does. Throws Error (bad_input) naming the variables where they contradict each other,
// or one is there without the other.
std::optional<LocalRank> local_rank(const Variables& environment);

}  // namespace voxmark

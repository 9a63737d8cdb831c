// Whether OpenMP gives the team that was asked for.
#pragma once

#include "base/error.h"

namespace voxmark {

struct ThreadsRefused : Error {
  using Error::Error;
};

// Variables such as OMP_THREAD_LIMIT make teams smaller without a word, others such as
// GOMP_CPU_AFFINITY=0 or OMP_PLACES={0} hold them all on one CPU. Throws Error: bad_input when the
// team has not `threads` threads, or they share fewer CPUs; ThreadsRefused (cannot_here) when the
// system starts fewer (a process limit), where libgomp would end the process. `may_share_cpus`:
// fewer CPUs were asked for.
void check_team(int threads, bool may_share_cpus = false);

// The part of it that OpenMP is not asked for: that the CPUs it would take are there, and that the
// system starts as many threads.
void check_start(int threads);

}  // namespace voxmark

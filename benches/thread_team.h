// Whether OpenMP gives the team that was asked for.
#pragma once

namespace voxmark {

// Variables such as OMP_THREAD_LIMIT make teams smaller without a word, others such as
// GOMP_CPU_AFFINITY=0 or OMP_PLACES={0} hold them all on one CPU. Throws Error (bad_input) when the
// team has not `threads` threads, or they share fewer CPUs.
void check_team(int threads);

}  // namespace voxmark

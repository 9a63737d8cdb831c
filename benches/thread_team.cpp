#include "benches/thread_team.h"

#include <omp.h>
#include <sched.h>

#include "base/error.h"

namespace voxmark {

void check_team(int threads) {
  int team = 0;
  cpu_set_t all;
  CPU_ZERO(&all);
  bool known = true;  // more CPUs than a mask has bits are not
#pragma omp parallel num_threads(threads)
  {
    cpu_set_t own;
    CPU_ZERO(&own);
    const bool answered = sched_getaffinity(0, sizeof own, &own) == 0;
#pragma omp critical(voxmark_check_team)
    {
      CPU_OR(&all, &all, &own);
      known = known && answered;
    }
#pragma omp single
    team = omp_get_num_threads();
  }
  if (team != threads) {
    throw_bad_input("threads {}: OpenMP gives {} (OMP_THREAD_LIMIT?)", threads, team);
  }
  if (known && CPU_COUNT(&all) < threads) {
    throw_bad_input(
        "threads {}: they are held on {} CPUs (GOMP_CPU_AFFINITY, KMP_AFFINITY, OMP_PLACES?)",
        threads, CPU_COUNT(&all));
  }
}

}  // namespace voxmark

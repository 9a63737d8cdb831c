#include "benches/threads/thread_team.h"

#include <omp.h>
#include <sched.h>

#include <future>
#include <iterator>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/number_text.h"
#include "benches/process/process_cpus.h"

namespace voxmark {

void check_start(int threads) {
  check_places(threads);
  std::vector<std::jthread> others;  // all at once, as a team is
  std::promise<void> all_there;
  const std::shared_future<void> end = all_there.get_future().share();
  std::string refusal;
  try {
    while (std::ssize(others) < threads - 1) {
      others.emplace_back([end] { end.wait(); });
    }
  } catch (const std::system_error& error) {
    refusal = error.code().message();
  }
  all_there.set_value();
  if (!refusal.empty()) {
    throw ThreadsRefused(ExitCode::cannot_here,
                         fmt::format("threads {}: the system starts {} and no more (ulimit -u, a "
                                     "container's pids limit): {}",
                                     threads, others.size() + 1, refusal));
  }
}

void check_team(int threads, bool may_share_cpus) {
  check_start(threads);
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
  if (known && !may_share_cpus && CPU_COUNT(&all) < threads) {
    throw_bad_input("threads {}: they are held on {}{}", threads, counted(CPU_COUNT(&all), "CPU"),
                    by_variables());
  }
}

}  // namespace voxmark

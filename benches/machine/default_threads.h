// How many threads a command takes where --threads does not say, and why so many.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace voxmark {

struct DefaultThreads {
  int threads = 1;
  // Lines for the user: what made the number smaller than that of the CPUs, and which variables
  // were not followed. None where every CPU has a thread and nothing else was asked for.
  std::vector<std::string> notes;
};

// What the number follows from. Texts are those of the variables, "" where they are not set.
struct ThreadBounds {
  int cpus = 1;                  // that this process may run on
  std::string omp_num_threads;   // "4", or "4,2": the outermost level counts
  std::string omp_thread_limit;  // of the whole program
  std::string omp_dynamic;
  std::optional<double> cpu_quota = std::nullopt;  // CPUs that a control group grants: 1.5, say
};

// The least of all bounds, a quota rounded up. A variable that is no number bounds nothing, which a
// note says.
DefaultThreads default_threads(const ThreadBounds& bounds);

// Of this process.
DefaultThreads default_threads();

}  // namespace voxmark

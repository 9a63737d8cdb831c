// What this process has asked of the heap and of the system's threads since it began: what a step
// should ask nothing of. Counted where the program itself makes the calls, by functions that stand
// before the C library's, so every library that is linked or loaded is counted with it.
//
// A program counts because it links this: voxmark does, and tests of the counts.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace voxmark {

struct ProcessCounts {
  std::uint64_t heap_allocations = 0;      // calls of malloc, calloc, realloc, ...; new is malloc
  std::uint64_t heap_allocated_bytes = 0;  // as they were asked for
  std::uint64_t thread_starts = 0;         // calls of pthread_create
};

// Where they come from: this, or the reason why there are none.
using CountsOrReason = std::variant<ProcessCounts, std::string>;

// A sanitizer brings a malloc of its own, a C library that is not glibc has no second name for its.
CountsOrReason process_counts();

// process_counts where the program links it, null where it does not.
using CountProcess = CountsOrReason (*)();

}  // namespace voxmark

// What a command that computes in this process runs on, from the texts of its flags.
#pragma once

#include <cstdint>
#include <string>

#include "backends/backend.h"

namespace voxmark {

// Throws Error: bad_input for an unknown backend and one that computes nothing, cannot_here for one
// that was not built.
const Backend& learning_backend(const std::string& name);

// --memory-limit; empty: the memory that there is. Throws Error (bad_input).
std::int64_t memory_bytes_of(const std::string& limit);

// Throws Error (bad_input) unless 1 to as many as this process may use.
void check_threads(int threads);

// Throws Error (bad_input) naming the flag.
void check_at_least(const char* flag, std::int64_t value, std::int64_t least);

}  // namespace voxmark

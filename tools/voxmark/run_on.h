// What a command that computes in this process runs on, from the texts of its flags.
#pragma once

#include <cstdint>
#include <string>

#include "backends/backend.h"
#include "benches/suite/suite.h"
#include "tools/voxmark/command_line.h"

namespace voxmark {

// Throws Error: bad_input for an unknown backend and one that computes nothing, cannot_here for one
// that was not built.
const Backend& learning_backend(const std::string& name);

// --memory-limit; empty: the memory that there is. Throws Error (bad_input).
std::int64_t memory_bytes_of(const std::string& limit);

// Throws Error (bad_input) unless 1 to as many as this process may use.
void check_threads(int threads);

// --threads, of which default_threads() is the default.
Option add_threads_option(Command command, int& threads, const std::string& help);

// Once the command line has been read: says on standard error what made the default what it is,
// where it was taken.
void tell_threads(const Option& threads);

// The default, and the same words.
int told_default_threads();

// The default for the grids that name no threads, and the same words where there is one.
int told_default_threads(const Suite& suite);

// Throws Error (bad_input) naming the flag.
void check_at_least(const char* flag, std::int64_t value, std::int64_t least);

}  // namespace voxmark

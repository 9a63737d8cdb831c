// Another build of voxmark, asked what it is and what it understands: `run --against`.
#pragma once

#include <string>
#include <vector>

#include "benches/exchange/exchange.h"
#include "results/report.h"

namespace voxmark {

// What it says of itself, in place of what this build's header says; an old one cannot say much.
// Throws Error (bad_input) when the program does not answer as a voxmark does.
void describe_other_build(const std::string& program, ReportHeader& header);

// What starts its children: `own`'s words with its program, and without the options that it does
// not know yet.
std::vector<std::string> other_child_command(const std::string& program,
                                             const std::vector<std::string>& own);

// The builds for other instruction sets (ci/isa) that cases run, by name: what they say of
// themselves. They lie beside `program`. Throws Error (bad_input) for one of another version or
// commit than `own`'s: it would be compared with this build in silence.
Json isa_programs(const std::vector<CaseSpec>& cases, const std::string& program, const Json& own);

}  // namespace voxmark

// What ranks tell together without computing a case. The runner's side is
// benches/exchange/ask_ranks.h.
#pragma once

#include <string>

namespace voxmark {

// In a process that a launcher started as a rank, for `threads` threads. `question`: "facts", who
// they are and why they cannot compute together. Rank 0 writes one line of JSON. Throws Error
// (bad_input) for another question.
void answer_as_ranks(const std::string& question, int threads);

}  // namespace voxmark

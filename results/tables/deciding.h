// Which processes of a case decide its times: those that nothing disturbed, where there are enough
// of them. voxmark_reports/deciding.py has the same rule, and results/deciding_examples.json holds
// both to it. Pure; what disturbs a process is benches/probes/interference.h's to say.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "results/record.h"

namespace voxmark {

// So many undisturbed processes decide alone: with fewer, no rank test finds anything at 1%.
constexpr int kEnoughUndisturbed = 5;

// Whether the run itself flagged the process (facts.interference).
bool was_disturbed(const Record& record);

struct Deciding {
  std::vector<const Record*> records;  // in their order
  int measured = 0;
  int disturbed = 0;  // of those measured
  int left_out = 0;   // all of the disturbed, or none

  // Disturbed processes count for want of others, and are more than a third: the median of fewer
  // would still be an undisturbed one.
  bool is_doubtful() const { return left_out == 0 && 3 * disturbed > measured; }
};

// `measured`: a case's records that publish times.
Deciding deciding(std::span<const Record* const> measured);

// "2 of 10 processes were disturbed".
std::string disturbed_count(int disturbed, int measured);
// "2 of 10 processes were disturbed and left out", "2 of 4 processes were disturbed: threads waited
// 51% of the time for a CPU", or "" where none was.
std::string disturbed_note(const Deciding& processes);

}  // namespace voxmark

// What the runner and the ranks of a case say to each other beside the protocol, of which rank 0
// alone is a part: variables, and lines on standard error.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace voxmark {

// Set for ranks, to their number.
constexpr const char* kRanksVariable = "VOXMARK_RANKS";
// Set where ranks may share CPUs, to one of these words.
constexpr const char* kShareCpusVariable = "VOXMARK_RANKS_SHARE_CPUS";
constexpr const char* kShareWithOthers = "others";  // each may use as many CPUs as it has threads
constexpr const char* kShareAlways = "always";

enum class RankWord {
  is_process,  // said once, by all, when MPI has started
  waits,       // these two where SIGUSR1 asks
  computes,
  failed
};
// Whose fault a failure is. A refusal of the machine that is not of memory is `cannot_here`.
enum class RankFailure { internal, bad_input, out_of_memory, cannot_here };

// What a rank says on standard error, among others' words: one line.
struct RankLine {
  std::optional<int> rank;  // nothing before MPI has started
  std::string host;         // without blanks
  RankWord word = RankWord::computes;
  int process = 0;                              // of is_process
  RankFailure failure = RankFailure::internal;  // of failed
  std::string message = {};                     // of failed
};
// With its newline. Where the message has lines, they become one.
std::string to_text(const RankLine& line);
// Those among other words, in their order.
std::vector<RankLine> rank_lines(std::string_view text);

}  // namespace voxmark

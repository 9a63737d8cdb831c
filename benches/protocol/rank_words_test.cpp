#include "benches/protocol/rank_words.h"

#include <gtest/gtest.h>

namespace voxmark {
namespace {

TEST(RankWords, AreReadAsTheyAreWritten) {
  const RankLine lines[] = {
      {3, "node7", RankWord::is_process, 4711},
      {0, "node7", RankWord::waits},
      {12, "a.b", RankWord::computes},
      {1, "a", RankWord::failed, 0, RankFailure::out_of_memory, "no room: 3 GiB (of 2)"},
      {{}, "a", RankWord::failed, 0, RankFailure::cannot_here, "no MPI"},
      {2, "a", RankWord::failed, 0, RankFailure::bad_input, "rank 1 on b: is another"},
      {2, "a", RankWord::failed, 0, RankFailure::internal, ""},
  };
  std::string text = "words of others\n";
  for (const RankLine& line : lines) {
    text += to_text(line) + "\n[1] 3: ";  // as a launcher may label them
  }
  const std::vector<RankLine> read = rank_lines(text);
  ASSERT_EQ(read.size(), std::size(lines));
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].rank, lines[i].rank);
    EXPECT_EQ(read[i].host, lines[i].host);
    EXPECT_EQ(read[i].word, lines[i].word) << i;
    EXPECT_EQ(read[i].process, lines[i].process);
    EXPECT_EQ(read[i].failure, lines[i].failure) << i;
    EXPECT_EQ(read[i].message, lines[i].message);
  }
}

TEST(RankWords, AreOneLineEach) {
  const std::string text =
      to_text({1, "a", RankWord::failed, 0, RankFailure::internal, "two\nlines"});
  EXPECT_EQ(rank_lines(text).at(0).message, "two lines");
}

TEST(RankWords, AreNotOthersWords) {
  EXPECT_TRUE(rank_lines("voxmark: child: no such CPU\nrank 1 on a: failed\n\n").empty());
}

}  // namespace
}  // namespace voxmark

#include "base/shell_word.h"

#include <gtest/gtest.h>

namespace voxmark {
namespace {

TEST(ShellWord, IsQuotedWhereAShellWouldReadItOtherwise) {
  EXPECT_EQ(shell_word("data/Task04_Hippocampus-1.5+a,b"), "data/Task04_Hippocampus-1.5+a,b");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("my scans"), "'my scans'");
  EXPECT_EQ(shell_word("it's $HOME"), "'it'\\''s $HOME'");
  EXPECT_EQ(shell_word("*.nii"), "'*.nii'");
  EXPECT_EQ(shell_word("~"), "'~'");
}

}  // namespace
}  // namespace voxmark

#include "tools/voxmark/rank_output.h"

#include <gtest/gtest.h>

namespace voxmark {
namespace {

RankSaid again(const RankSaid& said) {
  const std::string line = to_line(said);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  return parse_rank_said(line).value();
}

TEST(RankOutput, EveryTextComesBackAsItIs) {
  for (const std::string text : {"", "one\ntwo\n", "\r\033[Kepoch 1", "a\\nb\\", "\xff\n"}) {
    for (const RankSays what : {RankSays::output, RankSays::errors}) {
      EXPECT_EQ(again({what, text}).text, text);
      EXPECT_EQ(again({what, text}).what, what);
    }
  }
  EXPECT_EQ(again({RankSays::alive}).what, RankSays::alive);
}

TEST(RankOutput, TheEndHasACodeAndLines) {
  const RankSaid end = again({RankSays::end, "", ExitCode::bad_input, {"a: 1", "b"}});
  EXPECT_EQ(end.what, RankSays::end);
  EXPECT_EQ(end.code, ExitCode::bad_input);
  EXPECT_EQ(end.lines, (std::vector<std::string>{"a: 1", "b"}));
  EXPECT_TRUE(again({RankSays::end, "", ExitCode::done, {}}).lines.empty());
}

TEST(RankOutput, WhatOthersPrintIsNotTakenForIt) {
  for (const char* line : {"", "epoch 1", "\x1evoxmark ", "\x1evoxmark q", "\x1evoxmark xdone"}) {
    EXPECT_FALSE(parse_rank_said(line)) << line;
  }
}

}  // namespace
}  // namespace voxmark

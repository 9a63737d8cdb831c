#include "tools/voxmark/stack_room.h"

#include <gtest/gtest.h>

namespace voxmark {
namespace {

TEST(StackRoom, ReadsASizeAsOpenMPDoes) {
  EXPECT_EQ(stack_size_bytes("512"), 512 << 10);
  EXPECT_EQ(stack_size_bytes("16k"), 16 << 10);
  EXPECT_EQ(stack_size_bytes(" 2 M "), 2 << 20);
  EXPECT_EQ(stack_size_bytes("1g"), 1LL << 30);
  EXPECT_EQ(stack_size_bytes("65536B"), 65536);
}

TEST(StackRoom, WhatIsNoSizeIsNone) {
  for (const char* text : {"", "k", "junk", "-4k", "0", "4kb", "4 x", "9999999999999999g"}) {
    EXPECT_EQ(stack_size_bytes(text), 0) << text;
  }
}

}  // namespace
}  // namespace voxmark

#include "workloads/network/batch.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace voxmark {
namespace {

TEST(ParseDims, ReadsACubeAndThreeExtents) {
  EXPECT_EQ(parse_dims("64"), (Dims{64, 64, 64}));
  EXPECT_EQ(parse_dims("240x240x144"), (Dims{240, 240, 144}));
}

TEST(ParseDims, TextReadsBack) {
  const Dims dims{96, 80, 16};
  EXPECT_EQ(to_string(dims), "96x80x16");
  EXPECT_EQ(parse_dims(to_string(dims)), dims);
}

TEST(ParseDims, RefusesAnythingElseNamingIt) {
  for (const char* text : {"", "x", "64x", "x64", "64x64", "64x64x48x4", "0", "64x0x64", "-16",
                           "64x64x-1", "+64", " 64", "64 ", "64X64X64", "6.4", "1e3", "nan",
                           "9223372036854775808", "4194304x4194304x4194304"}) {
    try {
      parse_dims(text);
      ADD_FAILURE() << "accepted '" << text << "'";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_NE(std::string(error.what()).find(std::string("'") + text + "'"), std::string::npos)
          << error.what();
    }
  }
}

TEST(ParseDims, SaysWhatToTypeWhenItCanTell) {
  const auto said = [](const std::string& text) {
    try {
      parse_dims(text);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  for (const char* text : {"128,128,64", "128, 128, 64", "128X128X64",
                           "128\xc3\x97"
                           "128\xc3\x97"
                           "64",
                           " 128x128x64", "(128, 128, 64)", "[128,128,64]", "128*128*64"}) {
    EXPECT_NE(said(text).find("; type 128x128x64"), std::string::npos) << said(text);
  }
  EXPECT_NE(said("64 ").find("; type 64"), std::string::npos);
  EXPECT_NE(said("128x128").find("2 extents, expected 1"), std::string::npos);
  for (const char* text : {"-16", "6.4", "1e3", "", "x", "64x0x64"}) {
    EXPECT_EQ(said(text).find("; type"), std::string::npos) << said(text);
  }
}

TEST(BatchHash, DependsOnInputAndTarget) {
  Batch batch{1, {1, 1, 2}, 1, 1, {0.5F, 1.5F}, {0.0F, 1.0F}};
  // Little-endian float32 of 0.5, 1.5, 0, 1, hashed by `sha256sum`.
  EXPECT_EQ(sha256_hex(batch), "5d0e2190ee27a1ff5f7df3a13607168e3bbd32a22f74a1cf10d9cb27e8a7f46a");
  const std::string before = sha256_hex(batch);
  batch.target = {1.0F, 0.0F};
  EXPECT_NE(sha256_hex(batch), before);
}

}  // namespace
}  // namespace voxmark

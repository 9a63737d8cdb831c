#include "base/sha256.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.h"
#include "base/testing/temporary_folder.h"

namespace voxmark {
namespace {

// The vectors of FIPS 180-2, appendix B, and the empty message.
TEST(Sha256, MatchesThePublishedVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256, IsTheSameInPiecesAndFromAFile) {
  const std::string text(3'000'000, 'x');  // more than one read of a file
  Sha256 digest;
  const auto bytes = std::as_bytes(std::span(text));
  digest.update(bytes.first(1));
  digest.update(bytes.subspan(1));
  EXPECT_EQ(digest.hex(), sha256_hex(text));

  const TemporaryFolder folder;
  const std::string path = folder.path("x.bin");
  std::ofstream(path, std::ios::binary) << text;
  EXPECT_EQ(sha256_file(path), sha256_hex(text));
}

TEST(Sha256, NamesAFileThatCannotBeRead) {
  for (const std::string path : {"/nonexistent/file", "/"}) {
    try {
      sha256_file(path);
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_EQ(std::string(error.what()).find(path), 0U) << error.what();
    }
  }
}

}  // namespace
}  // namespace voxmark

// Every file of the fuzzers' corpora through its reader, in every run of the tests: no fuzzer is
// needed for that. "good*" files are accepted, all others refused by the reader's own word.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tools/fuzz/fuzz_readers.h"

namespace voxmark {
namespace {

std::string bytes_of(const std::filesystem::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

class Corpus : public testing::TestWithParam<FuzzTarget> {
 protected:
  static std::filesystem::path folder() {
    return std::filesystem::path(VOXMARK_SOURCE_DIR) / "tools/fuzz/corpus" / GetParam().name;
  }
};

TEST_P(Corpus, IsReadOrRefusedByTheReadersOwnWord) {
  int good = 0;
  int bad = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    const std::string name = entry.path().filename();
    const bool expected = name.starts_with("good");
    (expected ? good : bad) += 1;
    EXPECT_EQ(accepts(GetParam(), bytes_of(entry.path())), expected) << entry.path();
  }
  EXPECT_GE(good, 1);
  EXPECT_GE(bad, 3);
}

// Cut at every length, and one bit changed at many places: a crash here needs no fuzzer.
TEST_P(Corpus, NoDamageBreaksTheReader) {
  constexpr std::size_t kMostPlaces = 200;
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    if (!entry.path().filename().string().starts_with("good")) {
      continue;
    }
    const std::string whole = bytes_of(entry.path());
    const std::size_t stride = whole.size() / kMostPlaces + 1;
    for (std::size_t place = 0; place < whole.size(); place += stride) {
      accepts(GetParam(), whole.substr(0, place));
      std::string changed = whole;
      changed[place] = static_cast<char>(changed[place] ^ (1 << place % 8));
      accepts(GetParam(), changed);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Readers, Corpus, testing::ValuesIn(fuzz_targets()),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

}  // namespace
}  // namespace voxmark

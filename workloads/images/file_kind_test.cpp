#include "workloads/images/file_kind.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "workloads/images/nifti.h"
#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

using namespace std::string_literals;

std::string utf16(const std::string& text) {
  std::string wide = "\xFF\xFE";
  for (const char c : text) {
    wide += {c, '\0'};
  }
  return wide;
}

struct Foreign {
  std::string bytes;
  const char* kind;  // part of what is said
};

std::vector<Foreign> foreign_files() {
  return {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"},
      {"/annex/objects/SHA256E-s1--00.nii.gz\n", "git annex get"},
      {"../.git/annex/objects/aa/bb/SHA256E-s1--00.nii.gz", "git annex get"},
      {"<!DOCTYPE html><html><body>Sign in</body></html>", "web page (HTML)"},
      {"\n  <HTML><head>404</head></HTML>" + std::string(400, ' '), "web page (HTML)"},
      {"\xEF\xBB\xBF<html>", "web page (HTML)"},
      {utf16("<html><body>no</body></html>"), "web page (HTML)"},
      {"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "XML"},
      {"{\"error\": \"not found\"}", "text (\"{\"error\": \"not found\"}\")"},
      {"Rate limit exceeded\nTry later\n", "text (\"Rate limit exceeded\"...)"},
      {"PK\x03\x04" + std::string(400, 'x'), "zip archive"},
      {std::string(257, 'a') + "ustar\0"s + std::string(249, '\0'), "tar archive"},
      {std::string(128, '\0') + "DICM" + std::string(300, '\0'), "DICOM"},
      {"NRRD0004\ntype: short\n", "NRRD"},
      {"ObjectType = Image\nNDims = 3\n", "MetaImage"},
      {"\x89HDF\r\n\x1A\n" + std::string(400, '\0'), "HDF5"},
      {"CDF\x01" + std::string(400, '\0'), "MINC 1"},
      {"\x93NUMPY\x01" + std::string(400, '\0'), "NumPy"},
      {"\0\0\0\1\0\0\1\0"s, "MGH"},
      {"BZh91AY", "bzip2"},
      {"\xFD"
       "7zXZ\0\0"s,
       "xz"},
      {"\x28\xB5\x2F\xFD\x04", "zstd"},
      {"7z\xBC\xAF\x27\x1C", "7z"},
      {"\0\5\x16\7\0\2\0\0"s, "AppleDouble"},
      {"\x89PNG\r\n", "PNG"},
      {std::string(400, '\0'), "nothing but zeros"},
      {"", "an empty file"},
  };
}

TEST(FileKind, IsNamedWhereAnImageIsExpectedWhateverTheFileIsCalled) {
  const TemporaryFolder folder;
  for (const Foreign& foreign : foreign_files()) {
    write_bytes(folder.path("a.nii.gz"), foreign.bytes);
    const std::string said = refusal_of([&] { read_nifti(folder.path("a.nii.gz")); });
    EXPECT_NE(said.find("a.nii.gz: not a NIfTI-1 image but "), std::string::npos) << said;
    EXPECT_NE(said.find(foreign.kind), std::string::npos) << foreign.kind << ": '" << said << "'";
    EXPECT_TRUE(std::ranges::all_of(said, [](char c) { return c >= 0x20 && c < 0x7F; })) << said;
  }
}

TEST(FileKind, IsNotGuessedOfBytesThatSayNothing) {
  EXPECT_EQ(file_kind(std::as_bytes(std::span("\x01\x02\x03 abc", 7))), "");
}

}  // namespace
}  // namespace voxmark

#include "base/json.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "base/error.h"
#include "base/testing/temporary_folder.h"

namespace voxmark {
namespace {

// The message of the bad_input error that parsing `text` throws; empty when it throws none.
std::string parse_error(const std::string& text) {
  try {
    parse_json(text, "suite.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_EQ(std::string(error.what()).find("suite.json: "), 0U) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "";
}

TEST(Json, KeepsValuesAndTheOrderOfKeys) {
  const std::string text =
      R"({"z":[1,-2,0.5,true,null,"x\u00e9"],"a":{"b":[]},"n":18446744073709551615})";
  const Json json = parse_json(text, "t");
  EXPECT_EQ(json["z"][1], -2);
  EXPECT_EQ(json["z"][5], "x\u00e9");
  EXPECT_EQ(json["n"].get<std::uint64_t>(), 18446744073709551615U);
  EXPECT_EQ(dump_json(json),
            "{\"z\":[1,-2,0.5,true,null,\"x\u00e9\"],\"a\":{\"b\":[]},"
            "\"n\":18446744073709551615}");
}

TEST(Json, NamesADuplicateKey) {
  EXPECT_NE(parse_error(R"({"a":{"batch":1,"x":2,"batch":3}})").find("\"batch\""),
            std::string::npos);
  EXPECT_EQ(parse_error(R"([{"batch":1},{"batch":2},{"a":{"batch":1},"batch":2}])"), "");
}

TEST(Json, RefusesNumbersThatAreNotFinite) {
  EXPECT_NE(parse_error(R"({"x":1e400})").find("1e400"), std::string::npos);
  EXPECT_NE(parse_error("[-1e400]"), "");
  EXPECT_NE(parse_error(R"({"x":NaN})"), "");
  EXPECT_NE(parse_error(R"({"x":Infinity})"), "");
}

TEST(Json, SaysWhereASyntaxErrorIs) {
  EXPECT_NE(parse_error("{\"a\":1,\n\"b\":}").find("line 2, column 5"), std::string::npos);
  EXPECT_NE(parse_error(""), "");
  EXPECT_NE(parse_error("{\"a\":1} x"), "");
  EXPECT_NE(parse_error("{\"a\":1}{}"), "");
  EXPECT_NE(parse_error("[1,]"), "");
  EXPECT_NE(parse_error("\"\xff\""), "");
  EXPECT_LT(parse_error("[" + std::string(1'000'000, 'n') + "]").size(), 400U);
}

TEST(Json, RefusesDeepNestingBeforeBuildingIt) {
  const std::size_t limit = kMaxJsonDepth;
  EXPECT_EQ(parse_error(std::string(limit, '[') + std::string(limit, ']')), "");
  EXPECT_NE(parse_error(std::string(limit + 1, '[') + std::string(limit + 1, ']')).find("64"),
            std::string::npos);
  EXPECT_NE(parse_error(std::string(200'000, '[')).find("nested deeper"), std::string::npos);
  std::string objects;
  for (int i = 0; i < 200'000; ++i) {
    objects += "{\"a\":";
  }
  EXPECT_NE(parse_error(objects).find("nested deeper"), std::string::npos);
}

TEST(Json, ParsesManyKeysInLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 300'000; ++i) {
    text += "\"" + std::to_string(i) + "\":0,";
  }
  EXPECT_EQ(parse_json(text + "\"x\":0}", "t").size(), 300'001U);  // quadratic: over a minute
}

TEST(Json, ReplacesInvalidUtf8WhenWriting) {
  EXPECT_EQ(dump_json(Json{{"host",
                            "a\xff"
                            "b"}}),
            "{\"host\":\"a\uFFFD"
            "b\"}");
}

TEST(Json, RefusesToWriteNonFiniteNumbers) {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    try {
      dump_json(Json{{"a", {1.0, bad}}});
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::internal);
    }
  }
}

TEST(Json, WritesNumbersThatAreNotFiniteAsText) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double number : {0.1, -2.0, infinity, -infinity}) {
    EXPECT_EQ(number_from_json(number_to_json(number), "loss"), number);
  }
  EXPECT_EQ(dump_json(number_to_json(std::nan(""))), "\"NaN\"");
  EXPECT_TRUE(std::isnan(number_from_json("NaN", "loss")));
  EXPECT_EQ(number_from_json(3, "loss"), 3.0);
  EXPECT_THROW(number_from_json("nan", "loss"), Error);
  EXPECT_THROW(number_from_json(nullptr, "loss"), Error);
}

TEST(Json, IsTheSameInACommaLocale) {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  bool found = false;
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"}) {
    found = found || std::setlocale(LC_ALL, name) != nullptr;
  }
  if (!found) {
    GTEST_SKIP() << "no locale with a decimal comma is installed";
  }
  const Json json = parse_json("[1.5]", "t");
  const std::string text = dump_json(json);
  std::setlocale(LC_ALL, before.c_str());
  EXPECT_EQ(json[0].get<double>(), 1.5);
  EXPECT_EQ(text, "[1.5]");
}

TEST(Json, NamesAFileThatCannotBeRead) {
  for (const std::string path : {"/nonexistent/suite.json", "/"}) {
    try {
      read_json_file(path);
      FAIL() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      EXPECT_EQ(std::string(error.what()).find(path), 0U) << error.what();
    }
  }
  const TemporaryFolder folder;
  const std::string path = folder.path("a.json");
  std::ofstream(path) << "{\"a\": 1}\n";
  EXPECT_EQ(read_json_file(path)["a"], 1);
}

TEST(Json, KnowsFilesOfOtherKinds) {
  const TemporaryFolder folder;
  const std::string path = folder.path("a.json");
  const auto read = [&](const std::string& content) -> std::string {
    std::ofstream(path, std::ios::binary) << content;
    try {
      return dump_json(read_json_file(path));
    } catch (const Error& error) {
      return error.what();
    }
  };
  EXPECT_EQ(read("\xef\xbb\xbf{\"a\": 1}\r\n"), "{\"a\":1}");
  EXPECT_EQ(read(""), path + ": the file is empty");
  EXPECT_EQ(read(" \n"), path + ": the file is empty");
  EXPECT_EQ(read(std::string("\xff\xfe{\0", 4)),
            path + ": expected JSON, found UTF-16 text; save it as UTF-8");
  EXPECT_EQ(read("\x1f\x8b\x08"), path + ": expected JSON, found gzip data; unpack it with gunzip");
  EXPECT_EQ(read("\x28\xb5\x2f\xfd"),
            path + ": expected JSON, found zstd data; unpack it with unzstd");
  EXPECT_NE(read(std::string("{}\0", 3)).find(path + ": byte 3"), std::string::npos);
  EXPECT_NE(read("{\"a\": NaN}").find(path + ": byte"), std::string::npos);
}

}  // namespace
}  // namespace voxmark

#include "base/json_schema.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace voxmark {
namespace {

constexpr std::string_view kSchema = R"({
  "type": "object", "required": ["cases"], "additionalProperties": false,
  "properties": { "cases": { "type": "array", "items": {
    "type": "object", "required": ["batch", "outcome"], "additionalProperties": false,
    "properties": { "batch": { "type": "integer", "minimum": 1 },
                    "outcome": { "enum": ["ok", "failed"] },
                    "reason": { "type": ["string", "null"] } },
    "if": { "properties": { "outcome": { "const": "failed" } } },
    "then": { "required": ["reason"], "properties": { "reason": { "type": "string" } } } } } } })";

std::string error_of(const std::string& text) {
  try {
    JsonSchema(kSchema).check(parse_json(text, "t"), "suite.json");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "";
}

TEST(JsonSchema, AcceptsWhatMatches) {
  EXPECT_EQ(error_of(R"({"cases":[{"batch":1,"outcome":"ok"},)"
                     R"({"batch":2,"outcome":"failed","reason":"it was"}]})"),
            "");
}

TEST(JsonSchema, NamesThePlaceAndTheValue) {
  EXPECT_NE(error_of(R"({"cases":[{"batch":1,"outcome":"ok"},{"batch":0,"outcome":"ok"}]})")
                .find("suite.json: cases[1].batch = 0: "),
            std::string::npos);
  EXPECT_NE(
      error_of(R"({"cases":[{"batch":1,"outcome":"fine"}]})").find("cases[0].outcome = \"fine\": "),
      std::string::npos);
  EXPECT_NE(error_of(R"({"cases":[{"outcome":"ok"}]})").find("batch"), std::string::npos);
  EXPECT_NE(error_of(R"({"cases":[{"batch":1,"outcome":"ok","bacth":2}]})").find("bacth"),
            std::string::npos);
  EXPECT_NE(error_of("[]").find("the document"), std::string::npos);
}

TEST(JsonSchema, FollowsConditions) {
  EXPECT_NE(error_of(R"({"cases":[{"batch":1,"outcome":"failed"}]})").find("reason"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"cases":[{"batch":1,"outcome":"failed","reason":null}]})")
                .find("cases[0].reason = null"),
            std::string::npos);
}

TEST(JsonSchema, RefusesTextThatIsNoSchema) {
  try {
    JsonSchema(R"({"type":"nothing"})");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::internal);
  }
}

}  // namespace
}  // namespace voxmark

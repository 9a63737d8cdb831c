#include "workloads/cases/case_fields.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"

namespace voxmark {
namespace {

TEST(CaseFields, HaveNamesAndKeysOfTheirOwn) {
  std::set<std::string_view> names, keys;
  for (const CaseField& field : case_fields()) {
    EXPECT_TRUE(names.insert(field.name).second) << field.name;
    EXPECT_TRUE(field.key.empty() || keys.insert(field.key).second) << field.key;
    EXPECT_FALSE(field.help.empty()) << field.name;
  }
}

TEST(CaseFields, GiveBackWhatWasAssigned) {
  for (const CaseField& field : case_fields()) {
    CaseSpec spec;
    spec.backend = "naive";
    const Json other = field.type == FieldType::text      ? Json("other")
                       : field.type == FieldType::choice  ? Json(field.choices.back())
                       : field.type == FieldType::image   ? Json{16, 32, 48}
                       : field.type == FieldType::number  ? Json(0.5)
                       : field.type == FieldType::boolean ? Json(true)
                                                          : Json(field.most);
    field.assign(spec, other);
    EXPECT_EQ(field.read(spec), other) << field.name;
    EXPECT_FALSE(field.is_default(spec)) << field.name;
    EXPECT_NO_THROW(check(spec)) << field.name;
    EXPECT_EQ(parse_value(field, value_text(field, other), "--x"), other) << field.name;
  }
}

TEST(CaseFields, ReadTextsAsCommandLinesGiveThem) {
  const auto parsed = [](const char* name, const std::string& text) {
    return parse_value(*find_case_field(name), text, "--" + std::string(name));
  };
  EXPECT_EQ(parsed("image", "96x64x32"), (Json{96, 64, 32}));
  EXPECT_EQ(parsed("image", "32"), (Json{32, 32, 32}));
  EXPECT_EQ(parsed("memory_limit_bytes", "1.5KiB"), 1536);
  for (const auto& [name, text] :
       {std::pair("batch", "0"), std::pair("batch", "-2"), std::pair("batch", "nan"),
        std::pair("batch", "1e3"), std::pair("batch", "1e400"), std::pair("image", "60"),
        std::pair("isa", "sse"), std::pair("affine_tolerance", "0"),
        std::pair("affine_tolerance", "inf"), std::pair("data", "")}) {
    EXPECT_THROW(parsed(name, text), Error) << name << " " << text;
  }
}

TEST(CaseFields, TellCasesApartByWhatIsMeasured) {
  CaseSpec spec;
  spec.backend = "naive";
  CaseSpec longer = spec;
  longer.steps = 50;
  longer.warmup = 0;
  longer.process = 3;
  longer.reading = {true, 0.5};
  EXPECT_EQ(case_identity(to_json(longer)), case_identity(to_json(spec)));
  CaseSpec other = spec;
  other.memory_limit_bytes = 1'000'000;
  EXPECT_NE(case_identity(to_json(other)), case_identity(to_json(spec)));
  EXPECT_TRUE(same_workload(to_json(other), to_json(spec)));
  other.threads = 2;
  EXPECT_FALSE(same_workload(to_json(other), to_json(spec)));
  CaseSpec shared = spec, local = spec;
  shared.ranks = local.ranks = 2;
  local.batch_norm = "local";
  EXPECT_NE(case_identity(to_json(local)), case_identity(to_json(shared)));
  EXPECT_FALSE(same_workload(to_json(local), to_json(shared)));
  EXPECT_FALSE(same_workload(to_json(shared), to_json(spec)));
  // What is no field of ours: a name of an op, in files of other programs.
  EXPECT_EQ(case_identity({{"op", "pool"}, {"steps", 3}}), (Json{{"op", "pool"}}));
}

}  // namespace
}  // namespace voxmark

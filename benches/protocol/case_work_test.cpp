#include "benches/protocol/case_work.h"

#include <gtest/gtest.h>

#include "benches/protocol/isa.h"
#include "workloads/cases/case_fields.h"
#include "workloads/network/weights.h"

namespace voxmark {
namespace {

CaseSpec example() {
  CaseSpec spec;
  spec.backend = "onednn";
  spec.image = {96, 64, 48};
  spec.batch = 3;
  spec.network = {8, 4, 3};
  spec.threads = 7;
  spec.data = "/data/set";
  return spec;
}

TEST(CaseWork, IsVerifiedAtASmallShapeThatRunsTheSameCode) {
  const CaseSpec shape = verification_shape(example());
  EXPECT_EQ(shape.image, (Dims{48, 48, 48}));
  EXPECT_EQ(shape.batch, 2);
  EXPECT_EQ(shape.network.filters, 8);
  EXPECT_EQ(shape.threads, 7);
  EXPECT_EQ(shape.data, "synthetic");
  CaseSpec small = example();
  small.image = {16, 32, 160};
  small.batch = 1;
  EXPECT_EQ(verification_shape(small).image, (Dims{16, 32, 96}));  // 160 - 64
  EXPECT_EQ(verification_shape(small).batch, 1);
}

TEST(CaseWork, BatchIsAPureFunctionOfTheCase) {
  CaseSpec spec;
  spec.image = {16, 16, 16};
  for (const char* data : {"synthetic", "phantom"}) {
    spec.data = data;
    spec.seed = 1;
    const std::string first = sha256_hex(case_batch(spec));
    EXPECT_EQ(sha256_hex(case_batch(spec)), first) << data;
    spec.seed = 2;
    EXPECT_NE(sha256_hex(case_batch(spec)), first) << data;
  }
}

// A value that the case can have and its example has not; null where the field's table tells none.
Json other_value(const CaseField& field, const CaseSpec& spec) {
  if (field.type == FieldType::image) {
    return {16, 32, 16};
  }
  if (field.type == FieldType::choice) {
    return field.choices.back();
  }
  if (field.type == FieldType::integer || field.type == FieldType::bytes) {
    return field.read(spec).is_null() ? field.most : field.read(spec).get<std::int64_t>() + 1;
  }
  return field.name == "data" ? Json("phantom") : field.name == "backend" ? Json("eigen") : Json();
}

TEST(CaseWork, InputsAreTheSameWhereTheirKeyIs) {
  CaseSpec spec;
  spec.backend = "naive";
  spec.image = {16, 16, 16};
  spec.network = {2, 1, 1};
  const auto inputs = [](const CaseSpec& of) {
    const Program program = training_program(of);
    return sha256_hex(case_batch(of)) + sha256_hex(program, initial_weights(program, of.seed));
  };
  for (const CaseField& field : case_fields()) {
    const Json value = other_value(field, spec);
    if (value.is_null()) {
      continue;  // it says which files of a folder may be read
    }
    SCOPED_TRACE(field.name);
    CaseSpec other = spec;
    field.assign(other, value);
    EXPECT_EQ(inputs_key(other) == inputs_key(spec), !field.decides_inputs);
    EXPECT_EQ(inputs(other) == inputs(spec), !field.decides_inputs);
  }
}

TEST(CaseWork, EveryIsaThatACaseMayNameIsKnown) {
  for (const std::string_view name : find_case_field("isa")->choices) {
    EXPECT_NE(find_isa(std::string(name)), nullptr) << name;
  }
}

}  // namespace
}  // namespace voxmark

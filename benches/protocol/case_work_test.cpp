#include "benches/protocol/case_work.h"

#include <gtest/gtest.h>

#include "benches/protocol/isa.h"
#include "workloads/cases/case_fields.h"
#include "workloads/network/cost.h"
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

TEST(CaseWork, IsVerifiedByAllItsRanks) {
  CaseSpec spec = example();
  spec.ranks = 4;
  spec.batch_norm = "local";
  const CaseSpec shape = verification_shape(spec);
  EXPECT_EQ(shape.ranks, 4);
  EXPECT_EQ(shape.batch_norm, "local");
  EXPECT_EQ(shape.batch, 2);
  EXPECT_EQ(shape.image, (Dims{48, 48, 48}));
}

// What one process computes in double for all ranks stays affordable, whatever their number.
TEST(CaseWork, IsVerifiedWithTwoImagesOfEachRankWhereTheseAreFew) {
  CaseSpec spec = example();
  for (const auto& [ranks, batch] : {std::pair(2, 2), {3, 2}, {4, 2}, {5, 1}, {8, 1}, {64, 1}}) {
    spec.ranks = ranks;
    EXPECT_EQ(verification_shape(spec).batch, batch) << ranks;
  }
  spec.batch = 1;
  spec.ranks = 2;
  EXPECT_EQ(verification_shape(spec).batch, 1);
}

TEST(CaseWork, TellsACompilerOfItsRanks) {
  CaseSpec spec;
  EXPECT_EQ(compile_options(spec).ranks, 1);
  EXPECT_TRUE(training_program(spec).batch_norm.across_ranks);
  spec.ranks = 3;
  EXPECT_EQ(compile_options(spec).ranks, 3);
  EXPECT_TRUE(training_program(spec).batch_norm.across_ranks);
  EXPECT_EQ(flops_of_all_ranks(spec, training_program(spec)), 3 * flops(training_program(spec)));
  spec.batch_norm = "local";
  EXPECT_FALSE(training_program(spec).batch_norm.across_ranks);
}

// R ranks with b images each train on what one process trains on with R * b.
TEST(CaseWork, RanksShareTheBatchOfOneProcess) {
  CaseSpec whole;
  whole.image = {16, 16, 32};
  whole.network = {2, 2, 3};
  whole.batch = 6;
  CaseSpec shared = whole;
  shared.ranks = 3;
  shared.batch = 2;
  for (const char* data : {"synthetic", "phantom"}) {
    whole.data = shared.data = data;
    EXPECT_EQ(inputs_key(shared), inputs_key(whole));
    const Batch batch = case_batch(shared);
    EXPECT_EQ(batch.images, 6) << data;
    EXPECT_EQ(sha256_hex(batch), sha256_hex(case_batch(whole))) << data;
    Batch joined = {0, batch.dims, batch.input_channels, batch.output_channels, {}, {}};
    for (int rank = 0; rank < shared.ranks; ++rank) {
      const Batch own = images_of_rank(shared, rank);
      EXPECT_EQ(own.images, 2);
      EXPECT_EQ(own.input.size(), batch.input.size() / 3);
      joined.images += own.images;
      joined.input.insert(joined.input.end(), own.input.begin(), own.input.end());
      joined.target.insert(joined.target.end(), own.target.begin(), own.target.end());
    }
    EXPECT_EQ(sha256_hex(joined), sha256_hex(batch)) << data;
  }
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

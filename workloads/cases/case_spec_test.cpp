#include "workloads/cases/case_spec.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"

namespace voxmark {
namespace {

CaseSpec example() {
  CaseSpec spec;
  spec.backend = "onednn";
  spec.image = {96, 64, 48};
  spec.batch = 3;
  spec.network = {8, 4, 3};
  spec.precision = Precision::bf16;
  spec.threads = 7;
  spec.ranks = 2;
  spec.batch_norm = "local";
  spec.memory_limit_bytes = 8'000'000'000;
  spec.data = "/data/it's here";
  spec.reading = {true, 0.01};
  spec.seed = 42;
  spec.steps = 9;
  spec.warmup = 0;
  spec.process = 2;
  return spec;
}

std::string message_of(const Json& json) {
  try {
    case_from_json(json, "case");
    return "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    return error.what();
  }
}

TEST(CaseSpec, SurvivesJson) {
  const Json json = to_json(example());
  EXPECT_EQ(to_json(case_from_json(parse_json(dump_json(json), "case"), "case")), json);
}

TEST(CaseSpec, ReadsNoKeyThatItDoesNotKnowAndMissesNone) {
  const std::set<std::string> kOptional = {
      "memory_limit_bytes", "isa", "ranks", "batch_norm", "follow_links", "affine_tolerance"};
  const Json complete = to_json(example());
  for (const auto& item : complete.items()) {
    Json json = complete;
    json.erase(item.key());
    EXPECT_EQ(message_of(json), kOptional.contains(item.key())
                                    ? "accepted"
                                    : "case: key \"" + item.key() + "\" is missing");
  }
  Json json = to_json(example());
  json["treads"] = 2;
  EXPECT_EQ(message_of(json), "case: key \"treads\" is unknown");
}

TEST(CaseSpec, NamesTheKeyTheExpectedAndTheFound) {
  const auto with = [](const char* key, Json value) {
    Json json = to_json(example());
    json[key] = std::move(value);
    return message_of(json);
  };
  EXPECT_EQ(with("image", {64, 64, 60}),
            "case: image: expected three extents, multiples of 16, up to 65536, found [64,64,60]");
  EXPECT_EQ(with("image", {64, 64}),
            "case: image: expected three extents, multiples of 16, up to 65536, found [64,64]");
  EXPECT_EQ(with("image", {64, -64, 64}),
            "case: image: expected three extents, multiples of 16, up to 65536, found [64,-64,64]");
  EXPECT_EQ(with("batch", 0), "case: batch: expected an integer from 1 to 65536, found 0");
  EXPECT_EQ(with("batch", 1.5), "case: batch: expected an integer from 1 to 65536, found 1.5");
  EXPECT_EQ(with("batch", 18446744073709551615U),
            "case: batch: expected an integer from 1 to 65536, found 18446744073709551615");
  EXPECT_EQ(with("threads", -1), "case: threads: expected an integer from 1 to 4096, found -1");
  EXPECT_EQ(with("ranks", 0), "case: ranks: expected an integer from 1 to 65536, found 0");
  EXPECT_EQ(with("batch_norm", "none"),
            "case: batch_norm: expected global or local, found \"none\"");
  EXPECT_EQ(with("precision", "fp16"),
            "case: precision: expected fp64, fp32 or bf16, found \"fp16\"");
  EXPECT_EQ(with("steps", 0), "case: steps: expected an integer from 1 to 1000000, found 0");
  EXPECT_EQ(with("seed", -1),
            "case: seed: expected an integer from 0 to 9007199254740991, found -1");
  EXPECT_EQ(with("data", ""), "case: data: expected synthetic, phantom or a folder, found nothing");
  EXPECT_EQ(with("backend", 3), "case: backend: expected a name, found 3");
  EXPECT_EQ(with("follow_links", 1), "case: follow_links: expected true or false, found 1");
  EXPECT_EQ(with("affine_tolerance", "1"),
            "case: affine_tolerance: expected a number above 0, found \"1\"");
  EXPECT_EQ(with("affine_tolerance", -1),
            "case: affine_tolerance: expected a number above 0, found -1");
}

TEST(CaseSpec, ReproducesByACommandThatAShellReads) {
  EXPECT_EQ(reproduce_command(example()),
            "voxmark run --backend onednn --image 96x64x48 --batch 3 --channels 4 --classes 3 "
            "--filters 8 --precision bf16 --threads 7 --ranks 2 --batch-norm local --memory-limit "
            "8000000000 "
            "--data '/data/it'\\''s here' --follow-links --affine-tolerance 0.01 --seed 42 "
            "--steps 9 --warmup 0");
}

TEST(CaseSpec, SaysHowDataIsReadOnlyWhereThatWasAskedFor) {
  CaseSpec plain = example();
  plain.reading = {};
  const Json json = to_json(plain);
  EXPECT_FALSE(json.contains("follow_links"));
  EXPECT_FALSE(json.contains("affine_tolerance"));
  EXPECT_EQ(case_from_json(json, "case").reading, ReadOptions{});
  EXPECT_EQ(case_from_json(to_json(example()), "case").reading, (ReadOptions{true, 0.01}));
  EXPECT_EQ(reproduce_command(plain).find("--follow-links"), std::string::npos);
}

// As cases were before there were ranks: reports, baselines and identities of then hold.
TEST(CaseSpec, OfOneRankHasNoMemberOfRanks) {
  CaseSpec plain = example();
  plain.ranks = 1;
  plain.batch_norm = "global";
  const Json json = to_json(plain);
  EXPECT_FALSE(json.contains("ranks"));
  EXPECT_FALSE(json.contains("batch_norm"));
  EXPECT_EQ(case_from_json(json, "case").ranks, 1);
  EXPECT_EQ(case_from_json(json, "case").batch_norm, "global");
  EXPECT_EQ(reproduce_command(plain).find("--ranks"), std::string::npos);
}

TEST(CaseSpec, IsDescribedByWhatTellsItFromOthers) {
  CaseSpec plain;
  plain.backend = "naive";
  plain.isa = "avx2";
  EXPECT_EQ(describe(plain), "naive 64x64x64 batch 1 fp32 avx2");
  EXPECT_EQ(describe(example()),
            "onednn 96x64x48 batch 3 bf16 on 2 ranks local batch norm within 7.45 GiB");
}

}  // namespace
}  // namespace voxmark

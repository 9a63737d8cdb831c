#include "benches/protocol/case_spec.h"

#include <gtest/gtest.h>

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
  const Json complete = to_json(example());
  for (const auto& item : complete.items()) {
    Json json = complete;
    json.erase(item.key());
    const bool optional = item.key() == "memory_limit_bytes" || item.key() == "follow_links" ||
                          item.key() == "affine_tolerance";
    EXPECT_EQ(message_of(json),
              optional ? "accepted" : "case: key \"" + item.key() + "\" is missing");
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
            "image 64x64x60: expected extents that are multiples of 16, up to 65536");
  EXPECT_EQ(with("image", {64, 64}), "case: image: expected three extents, found [64,64]");
  EXPECT_EQ(with("image", {64, -64, 64}), "case: image: expected three extents, found [64,-64,64]");
  EXPECT_EQ(with("batch", 0), "batch: 0, expected 1 to 65536");
  EXPECT_EQ(with("batch", 1.5), "case: batch: expected an integer, found 1.5");
  EXPECT_EQ(with("batch", 18446744073709551615U),
            "case: batch: expected an integer, found 18446744073709551615");
  EXPECT_EQ(with("threads", -1), "threads: -1, expected 0 to 2147483647");
  EXPECT_EQ(with("precision", "fp16"), "precision fp16: expected fp64, fp32 or bf16");
  EXPECT_EQ(with("steps", 0), "steps: 0, expected 1 to 1000000");
  EXPECT_EQ(with("seed", -1), "seed: -1, expected 0 to 9007199254740991");
  EXPECT_EQ(with("data", ""), "data: expected synthetic, phantom or a folder, found nothing");
  EXPECT_EQ(with("backend", 3), "case: backend: expected a text, found 3");
  EXPECT_EQ(with("follow_links", 1), "case: follow_links: expected true or false, found 1");
  EXPECT_EQ(with("affine_tolerance", "1"),
            "case: affine_tolerance: expected a number, found \"1\"");
  EXPECT_EQ(with("affine_tolerance", -1), "affine tolerance -1: expected millimetres above 0");
}

TEST(CaseSpec, ReproducesByACommandThatAShellReads) {
  EXPECT_EQ(reproduce_command(example()),
            "voxmark run --backend onednn --image 96x64x48 --batch 3 --channels 4 --classes 3 "
            "--filters 8 --precision bf16 --threads 7 --data '/data/it'\\''s here' --seed 42 "
            "--steps 9 --warmup 0 --memory-limit 8000000000 --follow-links --affine-tolerance "
            "0.01");
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

TEST(CaseSpec, IsDescribedByWhatTellsItFromOthers) {
  CaseSpec plain;
  plain.backend = "naive";
  plain.isa = "avx2";
  EXPECT_EQ(describe(plain), "naive 64x64x64 batch 1 fp32 avx2");
  EXPECT_EQ(describe(example()), "onednn 96x64x48 batch 3 bf16 within 7.45 GiB");
}

TEST(CaseSpec, IsVerifiedAtASmallShapeThatRunsTheSameCode) {
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

TEST(CaseSpec, BatchIsAPureFunctionOfTheCase) {
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

}  // namespace
}  // namespace voxmark

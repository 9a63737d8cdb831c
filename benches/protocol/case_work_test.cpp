#include "benches/protocol/case_work.h"

#include <gtest/gtest.h>

#include "benches/protocol/isa.h"
#include "workloads/cases/case_fields.h"

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

TEST(CaseWork, EveryIsaThatACaseMayNameIsKnown) {
  for (const std::string_view name : find_case_field("isa")->choices) {
    EXPECT_NE(find_isa(std::string(name)), nullptr) << name;
  }
}

}  // namespace
}  // namespace voxmark

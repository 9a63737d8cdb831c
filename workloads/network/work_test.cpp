#include "workloads/network/work.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace voxmark {
namespace {

Program smallest_unet() { return lower(unet3d({}), 1, {16, 16, 16}, Mode::training); }

TEST(Work, EveryOpIsOfItsPhasesDirection) {
  const Program program = smallest_unet();
  for (const Op& op : program.ops) {
    const Work work = work_of(op);
    const bool is_backward = work.direction.starts_with("backward");
    EXPECT_EQ(is_backward, op.phase == Phase::backward) << op_name(op);
    EXPECT_EQ(work.direction == "update", op.phase == Phase::update) << op_name(op);
    EXPECT_EQ(op_name(op).find("transposed") != std::string::npos,
              work.kind == "transposed convolution")
        << op_name(op);
  }
}

TEST(Work, AStepIsADozenKinds) {
  std::set<std::string> kinds;
  for (const Op& op : smallest_unet().ops) {
    kinds.insert(work_of(op).kind);
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"convolution", "transposed convolution",
                                          "batch norm and ReLU", "pooling",
                                          "concatenation and sums", "output and loss", "update"}));
}

TEST(Work, OpsThatRunAsOneAreNamedByTheHeaviest) {
  const Program program = smallest_unet();
  std::map<std::string, OpId> first;
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    first.try_emplace(op_name(program.ops[i]), static_cast<OpId>(i));
  }
  const Work fused = work_of(program, {first.at("normalize_relu"), first.at("convolution")});
  EXPECT_EQ(fused.kind, "convolution");
  const Work without_flops = work_of(program, {first.at("max_pool_backward"), first.at("add")});
  EXPECT_EQ(without_flops.kind, "pooling");
  EXPECT_EQ(work_of(program, {}).kind, "");
}

}  // namespace
}  // namespace voxmark

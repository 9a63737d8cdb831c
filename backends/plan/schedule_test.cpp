#include "backends/plan/schedule.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace voxmark {
namespace {

std::map<std::string, Lifetime> lifetimes_by_name(const Program& program,
                                                  std::vector<TensorId> readable = {}) {
  std::map<std::string, Lifetime> result;
  for (const Lifetime& life : lifetimes(program, schedule_in_order(program), readable)) {
    result[program.tensor(life.tensor).name] = life;
  }
  return result;
}

int step_of(const Program& program, const std::string& layer, const std::string& name) {
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    if (program.ops[i].layer == layer && op_name(program.ops[i]) == name) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

TEST(Schedule, KeepsWhatTheBackwardPassReads) {
  const Program program = lower(unet3d({4, 1, 1}), 1, {16, 16, 16}, Mode::training);
  const auto lives = lifetimes_by_name(program);
  EXPECT_EQ(lives.at("encodeA_conv0").first_step, step_of(program, "encodeA_conv0", "convolution"));
  EXPECT_EQ(lives.at("encodeA_conv0").last_step,
            step_of(program, "encodeA_bn0", "normalize_relu_apply"));
}

TEST(Schedule, DropsWhatOnlyTheNextOpReads) {
  const Program program = lower(unet3d({4, 1, 1}), 1, {16, 16, 16}, Mode::training);
  const auto lives = lifetimes_by_name(program);
  EXPECT_EQ(lives.at("transconvA").last_step, step_of(program, "concatA", "concat"));
}

TEST(Schedule, InferenceDropsEverythingEarly) {
  const Program program = lower(unet3d({4, 1, 1}), 1, {16, 16, 16}, Mode::inference);
  const auto lives = lifetimes_by_name(program);
  EXPECT_EQ(lives.at("encodeA_conv0").last_step, lives.at("encodeA_conv0").first_step + 1);
}

TEST(Schedule, ReadableTensorsLiveToTheEnd) {
  const Program program = lower(unet3d({4, 1, 1}), 1, {16, 16, 16}, Mode::training);
  const auto lives = lifetimes_by_name(program, {program.find("transconvA")});
  EXPECT_EQ(lives.at("transconvA").last_step, static_cast<int>(program.ops.size()) - 1);
}

TEST(Schedule, NeverHoldsParametersInputsOrReductions) {
  const Program program = lower(unet3d({4, 1, 1}), 1, {16, 16, 16}, Mode::training);
  for (const auto& [name, life] : lifetimes_by_name(program)) {
    const TensorRole role = program.tensor(life.tensor).role;
    EXPECT_TRUE(role == TensorRole::activation || role == TensorRole::gradient) << name;
  }
}

// Every read finds a tensor that was written before and not dropped since.
void expect_valid(const Program& program, const Schedule& schedule,
                  const std::vector<Drop>& drops) {
  std::vector<bool> is_there(program.tensors.size(), false);
  std::size_t in_order = 0;
  for (const ScheduledOp& scheduled : schedule) {
    const Operands ids = operands(program.ops.at(static_cast<std::size_t>(scheduled.op)));
    for (const TensorId id : ids.reads) {
      if (program.tensor(id).role == TensorRole::activation) {
        EXPECT_TRUE(is_there[static_cast<std::size_t>(id)]) << program.tensor(id).name;
      }
    }
    for (const TensorId id : ids.writes) {
      is_there[static_cast<std::size_t>(id)] = true;
    }
    if (!scheduled.recomputed) {
      EXPECT_EQ(scheduled.op, static_cast<OpId>(in_order++));
      for (const Drop& drop : drops) {
        for (const TensorId id :
             drop.after == scheduled.op ? drop.tensors : std::vector<TensorId>{}) {
          is_there[static_cast<std::size_t>(id)] = false;
        }
      }
    }
  }
  EXPECT_EQ(in_order, program.ops.size());
}

TEST(Schedule, ComputesAgainWhatWasDroppedAndWhatThatNeeds) {
  const Program program = lower(unet3d({4, 1, 1}), 1, {16, 16, 16}, Mode::training);
  // Both tensors of encodeA's first half: ReLU's output is made of the convolution's.
  const std::vector<Drop> drops = {
      {static_cast<OpId>(step_of(program, "encodeA_conv1", "convolution")),
       {program.find("encodeA_conv0"), program.find("encodeA_bn0")}}};
  const Schedule schedule = schedule_with_drops(program, drops);
  expect_valid(program, schedule, drops);
  std::vector<std::string> again;
  for (const ScheduledOp& scheduled : schedule) {
    if (scheduled.recomputed) {
      again.push_back(op_name(program.ops[static_cast<std::size_t>(scheduled.op)]));
    }
  }
  EXPECT_EQ(again, (std::vector<std::string>{"convolution", "normalize_relu"}));
}

TEST(Schedule, StaysInOrderWithoutDrops) {
  const Program program = lower(unet3d({4, 1, 1}), 1, {16, 16, 16}, Mode::training);
  const Schedule schedule = schedule_with_drops(program, {});
  ASSERT_EQ(schedule.size(), program.ops.size());
  expect_valid(program, schedule, {});
}

}  // namespace
}  // namespace voxmark

#include "backends/schedule.h"

#include <gtest/gtest.h>

#include <map>

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

}  // namespace
}  // namespace voxmark

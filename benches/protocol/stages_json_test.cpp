#include "benches/protocol/stages_json.h"

#include <gtest/gtest.h>

namespace voxmark {
namespace {

Json stage(const std::vector<std::string>& ops, const std::string& implementation) {
  return {{"ops", ops}, {"implementation", implementation}};
}

TEST(OtherKernels, AreThoseOfOpsThatBothListsName) {
  const Json verified = {stage({"a/convolution"}, "rows"), stage({"b/max_pool", "b/add"}, "pass"),
                         stage({"only/verified"}, "rows")};
  const Json timed = {stage({"a/convolution"}, "im2col"), stage({"b/max_pool"}, "pass"),
                      stage({"b/add"}, "pass"), stage({"a/convolution"}, "im2col"),
                      stage({"only/timed"}, "blocks")};
  EXPECT_EQ(other_kernels(verified, timed),
            std::vector<std::string>{"a/convolution: rows -> im2col"});
  EXPECT_TRUE(other_kernels(verified, verified).empty());
  EXPECT_TRUE(other_kernels(Json::array(), timed).empty());
}

}  // namespace
}  // namespace voxmark

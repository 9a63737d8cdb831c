#include "benches/protocol/peers.h"

#include <gtest/gtest.h>

#include <set>

namespace voxmark {
namespace {

TEST(Peers, HaveANameEach) {
  std::set<std::string> names;
  for (const Peer& peer : peers()) {
    EXPECT_TRUE(names.insert(peer.name).second) << peer.name;
    EXPECT_EQ(find_peer(peer.name), &peer);
  }
  EXPECT_EQ(find_peer("tensorflow"), nullptr);
}

TEST(Peers, OneRoundsItsProductsToBf16) {
  EXPECT_EQ(rounding_of("pytorch-bf32", Precision::fp32), Rounding::bf32);
  EXPECT_EQ(rounding_of("pytorch-bf32", Precision::fp64), Rounding::fp64);
  for (const char* exact : {"pytorch", "tensorflow-onednn", "onednn", "exec:./mine"}) {
    EXPECT_EQ(rounding_of(exact, Precision::fp32), Rounding::fp32) << exact;
    EXPECT_EQ(rounding_of(exact, Precision::bf16), Rounding::bf16) << exact;
  }
}

}  // namespace
}  // namespace voxmark

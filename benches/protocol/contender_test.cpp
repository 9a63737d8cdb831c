#include "benches/protocol/contender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/testing/temporary_folder.h"
#include "benches/protocol/peers.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;

CaseSpec case_of(const std::string& backend, const std::string& isa = "") {
  CaseSpec spec;
  spec.backend = backend;
  spec.isa = isa;
  return spec;
}

TEST(ContenderKind, IsReadFromTheNameAlone) {
  EXPECT_EQ(kind_of("onednn"), ContenderKind::backend);
  EXPECT_EQ(kind_of("exec:onednn"), ContenderKind::program);
  EXPECT_EQ(kind_of("exec:"), ContenderKind::program);
  EXPECT_EQ(kind_of("exe"), ContenderKind::backend);
  ASSERT_FALSE(peers().empty());
  for (const Peer& peer : peers()) {
    EXPECT_EQ(kind_of(peer.name), ContenderKind::peer) << peer.name;
    EXPECT_EQ(kind_of("exec:" + peer.name), ContenderKind::program) << peer.name;
  }
}

TEST(Contender, OfABuildIsVerifiedInItsProcessPlansAndIsOurFault) {
  EXPECT_TRUE(is_of_build("onednn"));
  EXPECT_TRUE(runs_our_child("onednn"));
  EXPECT_FALSE(exchanges_files("onednn"));
  EXPECT_TRUE(plans_memory("onednn"));
  EXPECT_TRUE(is_fault_of_ours("onednn"));
}

TEST(Contender, OfSomebodyElseIsVerifiedByFilesAndMeasuredFromOutside) {
  for (const std::string& backend : {peers().front().name, std::string("exec:./mine")}) {
    SCOPED_TRACE(backend);
    EXPECT_FALSE(is_of_build(backend));
    EXPECT_FALSE(runs_our_child(backend));
    EXPECT_TRUE(exchanges_files(backend));
    EXPECT_FALSE(plans_memory(backend));
    EXPECT_FALSE(is_fault_of_ours(backend));
  }
}

TEST(Contender, MayBeComputedBySeveralProcesses) {
  EXPECT_TRUE(computes_on_ranks("onednn"));
  EXPECT_TRUE(computes_on_ranks("pytorch-ddp"));
  EXPECT_FALSE(computes_on_ranks("pytorch"));
  EXPECT_FALSE(computes_on_ranks("exec:./mine"));
}

TEST(Contender, OfAnotherInstructionSetIsOfABuildAndNotThisProgram) {
  EXPECT_TRUE(is_this_program(case_of("onednn")));
  EXPECT_FALSE(is_this_program(case_of("onednn", "avx2")));
  EXPECT_FALSE(is_this_program(case_of("exec:./mine")));
  EXPECT_TRUE(is_of_build(case_of("onednn", "avx2").backend));
}

TEST(ContenderOf, StartsOurChildForABackend) {
  const Contender contender = contender_of(case_of("onednn"), {"voxmark", "child"});
  EXPECT_THAT(contender.command, ElementsAre("voxmark", "child"));
  EXPECT_THAT(contender.environment, IsEmpty());
  EXPECT_EQ(contender.missing, "");
}

TEST(ContenderOf, StartsTheProgramOfACommand) {
  const Contender contender = contender_of(case_of("exec:./mine --fast"), {"voxmark", "child"});
  EXPECT_THAT(contender.command, ElementsAre("./mine", "--fast"));
  EXPECT_EQ(contender.missing, "");
  EXPECT_THROW(contender_of(case_of("exec:"), {"voxmark", "child"}), Error);
}

TEST(ContenderOf, SaysThatAPeerIsNotInstalled) {
  const TemporaryFolder none;
  ASSERT_EQ(setenv("VOXMARK_PEERS", none.path().c_str(), 1), 0);
  for (const Peer& peer : peers()) {
    for (const char* isa : {"", "avx2"}) {
      const Contender contender = contender_of(case_of(peer.name, isa), {"voxmark", "child"});
      EXPECT_THAT(contender.command, IsEmpty()) << peer.name;
      EXPECT_EQ(contender.missing, kPeerNotInstalled) << peer.name;
    }
  }
  unsetenv("VOXMARK_PEERS");
}

TEST(ContenderOf, TakesTheBuildForTheInstructionSetAndCapsOthers) {
  const TemporaryFolder folder;
  const std::string own = fs::canonical(folder.path()) / "voxmark";
  std::ofstream(own) << "#!/bin/sh\n";
  const Contender ours = contender_of(case_of("onednn", "avx2"), {own, "child"});
  EXPECT_THAT(ours.command, ElementsAre(own + "-avx2", "child"));
  EXPECT_NE(ours.missing, "") << "it was not built";
  const Contender theirs = contender_of(case_of("exec:./mine", "avx2"), {own, "child"});
  EXPECT_THAT(theirs.command, ElementsAre("./mine"));
  EXPECT_THAT(theirs.environment, IsSupersetOf(ours.environment));
  EXPECT_FALSE(theirs.environment.empty());
}

}  // namespace
}  // namespace voxmark

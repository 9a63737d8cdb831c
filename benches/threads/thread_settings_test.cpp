#include "benches/threads/thread_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace voxmark {
namespace {

using testing::UnorderedElementsAre;

TEST(ThreadSettings, BindByTheVariablesThatOpenMpReads) {
  EXPECT_TRUE(assignments(requested_variables({})).empty()) << "the environment's own stay";
  EXPECT_THAT(assignments(requested_variables({"cores", ""})),
              UnorderedElementsAre("OMP_PLACES=cores", "OMP_PROC_BIND=close"));
  EXPECT_THAT(assignments(requested_variables({"none", ""})),
              UnorderedElementsAre("OMP_PROC_BIND=false"));
}

TEST(ThreadSettings, ThePapersAreKeptAndTranslated) {
  const RequestedVariables paper = requested_variables({"", "paper"});
  EXPECT_EQ(paper.as_published.at("KMP_AFFINITY"), "granularity=thread,compact");
  EXPECT_EQ(paper.as_published.at("KMP_BLOCKTIME"), "1");
  EXPECT_EQ(paper.translated.at("OMP_PROC_BIND"), "close");
  EXPECT_EQ(paper.translated.at("OMP_PLACES"), "threads");
  EXPECT_FALSE(paper.note.empty());
  const RequestedVariables both = requested_variables({"none", "paper"});
  EXPECT_EQ(both.translated.at("OMP_PROC_BIND"), "false") << "a flag wins over a profile";
  EXPECT_FALSE(both.as_published.contains("KMP_AFFINITY"));
}

TEST(ThreadSettings, AreNotTranslatedForARuntimeThatReadsThem) {
  const RequestedVariables paper = requested_variables({"", "paper", "libomp"});
  EXPECT_EQ(paper.as_published.at("KMP_BLOCKTIME"), "1");
  EXPECT_TRUE(paper.translated.empty());
  EXPECT_TRUE(paper.note.empty());
  EXPECT_EQ(requested_variables({"cores", "", "libomp"}).translated.at("OMP_PLACES"), "cores");
}

TEST(ThreadSettings, NameThePlacesThatATopologyIsAskedFor) {
  for (const char* bind : {"cores", "threads", "numa"}) {
    EXPECT_EQ(places_named({bind, ""}), bind);
  }
  EXPECT_EQ(places_named({"", "paper"}), "threads");
  EXPECT_EQ(places_named({"", "paper", "libomp"}), "") << "KMP_AFFINITY says it";
  EXPECT_EQ(places_named({"none", "paper"}), "");
  EXPECT_EQ(places_named({}), "");
}

TEST(ThreadSettings, StandInAReportAndComeBackFromIt) {
  for (const ThreadSettings& settings :
       {ThreadSettings{}, {"cores", ""}, {"", "paper"}, {"none", "paper"}}) {
    const ThreadSettings again = thread_settings_of(facts_of(settings));
    EXPECT_EQ(again.bind, settings.bind);
    EXPECT_EQ(again.profile, settings.profile);
  }
  EXPECT_EQ(thread_settings_of(ThreadFacts()).bind, "");
  EXPECT_EQ(flags({"cores", "paper"}), " --bind cores --profile paper");
  EXPECT_EQ(flags({}), "");
}

TEST(ThreadSettings, RefuseOtherNames) {
  EXPECT_NO_THROW(check(ThreadSettings{}));
  EXPECT_NO_THROW(check({"numa", "paper"}));
  EXPECT_THROW(check({"sockets", ""}), Error);
  EXPECT_THROW(check({"", "poster"}), Error);
}

TEST(ThreadSettings, WarnOfThreadsThatWanderBetweenNodes) {
  Json environment = {{"cpu", {{"numa_nodes", 2}}}, {"variables", Json::object()}};
  EXPECT_TRUE(numa_warning(environment, {}));
  EXPECT_TRUE(numa_warning(environment, {"none", ""}));
  EXPECT_FALSE(numa_warning(environment, {"cores", ""}));
  environment["variables"]["OMP_PROC_BIND"] = "false";
  EXPECT_TRUE(numa_warning(environment, {}));
  environment["variables"]["OMP_PROC_BIND"] = "FALSE";
  EXPECT_TRUE(numa_warning(environment, {}));
  environment["variables"]["OMP_PLACES"] = "cores";  // in vain
  EXPECT_TRUE(numa_warning(environment, {}));
  environment["variables"]["OMP_PROC_BIND"] = "";
  EXPECT_FALSE(numa_warning(environment, {}));
  environment["variables"] = {{"OMP_PROC_BIND", " "}};
  EXPECT_TRUE(numa_warning(environment, {}));
  environment["variables"]["OMP_PROC_BIND"] = "FALSE";
  environment["variables"]["KMP_AFFINITY"] = "compact";  // libgomp does not read it
  EXPECT_TRUE(numa_warning(environment, {}));
  EXPECT_FALSE(numa_warning(environment, {"", "", "libiomp5"}));
  environment["variables"]["OMP_PROC_BIND"] = "true";
  EXPECT_FALSE(numa_warning(environment, {}));
  environment = {{"cpu", {{"numa_nodes", 1}}}, {"variables", Json::object()}};
  EXPECT_FALSE(numa_warning(environment, {}));
}

}  // namespace
}  // namespace voxmark

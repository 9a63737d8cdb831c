#include "benches/machine/default_threads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace voxmark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(DefaultThreads, AreAllCpusWhereNothingElseIsSaid) {
  for (const char* nothing : {"", "  ", "4", "4,2"}) {
    const DefaultThreads found = default_threads({4, nothing, "", ""});
    EXPECT_EQ(found.threads, 4) << nothing;
    EXPECT_THAT(found.notes, IsEmpty()) << nothing;
  }
}

TEST(DefaultThreads, FollowOmpNumThreadsAndSayIt) {
  for (const char* fewer : {"2", " 2 ", "2,8", "2, 1", "02"}) {
    const DefaultThreads found = default_threads({4, fewer, "", ""});
    EXPECT_EQ(found.threads, 2) << fewer;
    EXPECT_THAT(found.notes, ElementsAre(HasSubstr("OMP_NUM_THREADS=" + std::string(fewer))));
  }
}

TEST(DefaultThreads, NameWhatIsNotFollowed) {
  for (const char* wrong : {"abc", "0", "-1", ",2", "2x", "1.5"}) {
    const DefaultThreads found = default_threads({4, wrong, "", ""});
    EXPECT_EQ(found.threads, 4) << wrong;
    EXPECT_THAT(found.notes, ElementsAre(HasSubstr("expected a number from 1"))) << wrong;
  }
  for (const char* more : {"100", "99999999999999999999"}) {
    const DefaultThreads found = default_threads({4, more, "", ""});
    EXPECT_EQ(found.threads, 4) << more;
    EXPECT_THAT(found.notes, ElementsAre(HasSubstr("may run on 4 CPUs"))) << more;
  }
  EXPECT_THAT(default_threads({4, "", "", "TRUE"}).notes, ElementsAre(HasSubstr("OMP_DYNAMIC")));
  EXPECT_THAT(default_threads({4, "", "", "false"}).notes, IsEmpty());
}

TEST(DefaultThreads, FollowACpuQuotaRoundedUp) {
  const auto with_quota = [](double quota) { return default_threads({4, "", "", "", quota}); };
  EXPECT_EQ(with_quota(1).threads, 1);
  EXPECT_THAT(with_quota(1).notes, ElementsAre(HasSubstr("threads: 1, by a CPU quota of 1, of 4")));
  for (const double little : {1e-3, 0.5}) {
    EXPECT_EQ(with_quota(little).threads, 1) << little;
  }
  EXPECT_EQ(with_quota(1.5).threads, 2);
  EXPECT_THAT(with_quota(1.5).notes,
              ElementsAre(HasSubstr("threads: 2, by a CPU quota of 1.5"), HasSubstr("at times")));
  for (const double enough : {4.0, 64.0, 1e300}) {
    EXPECT_EQ(with_quota(enough).threads, 4) << enough;
    EXPECT_THAT(with_quota(enough).notes, IsEmpty()) << enough;
  }
  EXPECT_EQ(default_threads({4, "1", "", "", 2.0}).threads, 1);
}

// A larger limit asks for nothing.
TEST(DefaultThreads, StayBelowOmpThreadLimit) {
  const DefaultThreads limited = default_threads({4, "3", "2", ""});
  EXPECT_EQ(limited.threads, 2);
  EXPECT_THAT(limited.notes, ElementsAre(HasSubstr("OMP_THREAD_LIMIT=2")));
  EXPECT_THAT(default_threads({4, "", "2147483647", ""}).notes, IsEmpty());
}

}  // namespace
}  // namespace voxmark

#include "benches/threads/binding_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace voxmark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(BindingNotes, SayNothingOfWhatIsFollowed) {
  EXPECT_THAT(binding_notes({{}, "libgomp", 0}), IsEmpty());
  EXPECT_THAT(binding_notes({{{"OMP_PLACES", "cores"}}, "libgomp", 2}), IsEmpty());
  EXPECT_THAT(binding_notes({{{"OMP_PROC_BIND", "FALSE"}}, "libgomp", 0}), IsEmpty());
  EXPECT_THAT(binding_notes({{{"KMP_AFFINITY", "compact"}}, "libiomp5", 2}), IsEmpty());
  EXPECT_THAT(binding_notes({{{"KMP_AFFINITY", "none"}}, "libgomp", 0}), IsEmpty());
  EXPECT_THAT(binding_notes({{{"KMP_AFFINITY", "verbose,none"}}, "libgomp", 0}), IsEmpty());
  EXPECT_THAT(binding_notes({{{"OMP_PLACES", " "}}, "libgomp", 0}), IsEmpty());
}

TEST(BindingNotes, NameTheVariableThatTheRuntimeCannotRead) {
  for (const char* name : {"GOMP_CPU_AFFINITY", "OMP_PLACES", "OMP_PROC_BIND"}) {
    EXPECT_THAT(
        binding_notes({{{name, "junk"}}, "libgomp", 0}),
        ElementsAre(std::string(name) +
                    "=junk: not followed: libgomp could not use it; threads run on any CPU"));
  }
}

TEST(BindingNotes, AnEmptyVariableSwitchesNothingOff) {
  EXPECT_THAT(binding_notes({{{"OMP_PLACES", "junk"}, {"OMP_PROC_BIND", ""}}, "libgomp", 0}),
              ElementsAre(HasSubstr("OMP_PLACES=junk: not followed: libgomp could not use it")));
}

TEST(BindingNotes, FalseInAListIsNoValue) {
  EXPECT_THAT(binding_notes({{{"OMP_PROC_BIND", "false,close"}}, "libgomp", 0}),
              ElementsAre(HasSubstr("OMP_PROC_BIND=false,close: not followed: libgomp could not")));
}

TEST(BindingNotes, NameTheVariableOfAnotherRuntime) {
  EXPECT_THAT(binding_notes({{{"KMP_AFFINITY", "compact"}}, "libgomp", 2}),
              ElementsAre(HasSubstr("KMP_AFFINITY=compact: not followed: libgomp does not read")));
}

TEST(BindingNotes, NameTheVariableThatOutweighsAnother) {
  EXPECT_THAT(
      binding_notes({{{"OMP_PLACES", "cores"}, {"OMP_PROC_BIND", "false"}}, "libgomp", 0}),
      ElementsAre("OMP_PLACES=cores: not followed: OMP_PROC_BIND=false switches binding off"));
}

}  // namespace
}  // namespace voxmark

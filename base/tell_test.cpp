#include "base/tell.h"

#include <gtest/gtest.h>

#include <memory>

namespace voxmark {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

TEST(Tell, WritesWhatItIsTold) {
  const File file(std::tmpfile(), std::fclose);
  tell(file.get(), "{} of {}\n", 1, "two");
  std::rewind(file.get());
  char text[32] = {};
  EXPECT_NE(std::fgets(text, sizeof text, file.get()), nullptr);
  EXPECT_STREQ(text, "1 of two\n");
}

TEST(Tell, GoesOnWhereNothingCanBeWritten) {
  for (const char* mode : {"r", "w"}) {  // a descriptor that takes nothing, a disk that is full
    const File file(std::fopen("/dev/full", mode), std::fclose);
    ASSERT_NE(file, nullptr);
    std::setvbuf(file.get(), nullptr, _IONBF, 0);
    tell(file.get(), "nobody reads this\n");
    EXPECT_NE(std::ferror(file.get()), 0) << "the stream still tells it";
  }
}

}  // namespace
}  // namespace voxmark

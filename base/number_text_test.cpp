#include "base/number_text.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace voxmark {
namespace {

TEST(Significant, KeepsDigitsAndWritesNoExponent) {
  EXPECT_EQ(significant(1234.6, 3), "1235");
  EXPECT_EQ(significant(12.346, 3), "12.3");
  EXPECT_EQ(significant(0.012346, 4), "0.01235");
  EXPECT_EQ(significant(0, 3), "0");
}

TEST(BytesText, ScalesToTheUnitThatReadsBest) {
  EXPECT_EQ(bytes_text(800), "800 B");
  EXPECT_EQ(bytes_text(std::int64_t{1536} << 20U), "1.50 GiB");
  EXPECT_EQ(bytes_text(std::int64_t{1} << 53U), "8192 TiB");
}

TEST(LimitText, IsRoundAndNeverMoreThanTheBytes) {
  EXPECT_EQ(limit_text(800), "800B");
  EXPECT_EQ(limit_text((std::int64_t{913} << 20U) - 1), "912MiB");
  EXPECT_EQ(limit_text(std::int64_t{3} << 29U), "1.5GiB");
  EXPECT_EQ(limit_text((std::int64_t{3} << 29U) - 1), "1.4GiB");
}

TEST(Counted, IsSingularForOneAlone) {
  EXPECT_EQ(counted(1, "thread"), "1 thread");
  EXPECT_EQ(counted(0, "record"), "0 records");
  EXPECT_EQ(counted(1, "process"), "1 process");
  EXPECT_EQ(counted(2, "process"), "2 processes");
}

TEST(NumberText, ReadsBytesWithTheirUnits) {
  EXPECT_EQ(parse_bytes("1000", "limit"), 1000);
  EXPECT_EQ(parse_bytes("8GiB", "limit"), std::int64_t{8} << 30);
  EXPECT_EQ(parse_bytes("1.5GB", "limit"), 1'500'000'000);
  for (const char* wrong :
       {"", "0", "-1", "8 GiB", "8gib", "nan", "inf", "1e3", "9999999TiB", "192", "8.5"}) {
    EXPECT_THROW(parse_bytes(wrong, "limit"), Error) << wrong;
  }
}

}  // namespace
}  // namespace voxmark

#include "benches/process/memory_room.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/testing/temporary_folder.h"

namespace voxmark {
namespace {

constexpr std::int64_t kGibibyte = std::int64_t{1} << 30;

// A machine's files, as far as they matter.
class MemoryRoomTest : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_.path() + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void write_available(std::int64_t bytes) {
    write("/proc/meminfo",
          "MemTotal:       99999999 kB\nMemAvailable:   " + std::to_string(bytes / 1024) + " kB\n");
  }
  MemoryRoom room() { return memory_room(root_.path()); }

  TemporaryFolder root_;
};

TEST_F(MemoryRoomTest, IsWhatIsAvailableWithoutACgroup) {
  write_available(8 * kGibibyte);
  EXPECT_EQ(room().bytes, 8 * kGibibyte);
  EXPECT_EQ(room().source, "MemAvailable");
}

TEST_F(MemoryRoomTest, IsWhatAVersion2CgroupHasLeftWithItsFileCache) {
  write_available(8 * kGibibyte);
  write("/proc/self/cgroup", "0::/job/inner\n");
  write("/sys/fs/cgroup/job/inner/memory.max", std::to_string(4 * kGibibyte) + "\n");
  write("/sys/fs/cgroup/job/inner/memory.current", std::to_string(3 * kGibibyte) + "\n");
  write("/sys/fs/cgroup/job/inner/memory.stat",
        "anon 1\ninactive_file " + std::to_string(kGibibyte) + "\n");
  EXPECT_EQ(room().bytes, 2 * kGibibyte);
  EXPECT_EQ(room().source, "cgroup limit");
}

TEST_F(MemoryRoomTest, AnAncestorsLimitBinds) {
  write_available(8 * kGibibyte);
  write("/proc/self/cgroup", "0::/job/inner\n");
  write("/sys/fs/cgroup/job/inner/memory.max", "max\n");
  write("/sys/fs/cgroup/job/inner/memory.current", "0\n");
  write("/sys/fs/cgroup/job/memory.max", std::to_string(kGibibyte) + "\n");
  write("/sys/fs/cgroup/job/memory.current", "0\n");
  EXPECT_EQ(room().bytes, kGibibyte);
}

TEST_F(MemoryRoomTest, AVersion1LimitBindsAndItsUnlimitedDoesNot) {
  write_available(8 * kGibibyte);
  write("/proc/self/cgroup", "3:cpu:/x\n4:memory:/not/seen/from/here\n0::/\n");
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", std::to_string(5 * kGibibyte) + "\n");
  write("/sys/fs/cgroup/memory/memory.usage_in_bytes", std::to_string(kGibibyte) + "\n");
  EXPECT_EQ(room().bytes, 4 * kGibibyte);
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(room().bytes, 8 * kGibibyte);
}

// As WSL 1, OpenVZ and kernels before 3.14 tell.
TEST_F(MemoryRoomTest, IsEstimatedFromWhatIsFreeAndCachedWithoutMemAvailable) {
  write("/proc/meminfo",
        "MemTotal: 1000 kB\nMemFree: 200 kB\nBuffers: 10 kB\nCached: 100 kB\nShmem: 30 kB\n"
        "SReclaimable: 20 kB\n");
  EXPECT_EQ(room().bytes, 300 * 1024);
  EXPECT_EQ(room().source, "estimated: MemFree and caches, no MemAvailable");
  write("/proc/meminfo", "MemTotal: 1000 kB\nMemFree: 200 kB\n");
  EXPECT_EQ(room().bytes, 200 * 1024);
}

TEST_F(MemoryRoomTest, IsAskedOfTheSystemWhereTheFileTellsNothing) {
  const auto check = [this](const std::string& what) {
    EXPECT_GT(room().bytes, 0) << what;
    EXPECT_EQ(room().source, "estimated: sysinfo(2), no /proc/meminfo") << what;
  };
  check("no file");
  for (const char* text : {"", "\n", "MemAvailable\n", "MemAvailable: kB\n",
                           "MemAvailable: -5 kB\n", "MemAvailable: 9223372036854775808 kB\n",
                           "MemAvailable: 9223372036854775807 kB\n", "MemFree: \xff\xfe kB\n"}) {
    write("/proc/meminfo", text);
    check(text);
    EXPECT_FALSE(total_memory_bytes(root_.path())) << text;
  }
}

TEST_F(MemoryRoomTest, OfAContainerThatDoesNotTellItsGroupIsItsMounts) {
  write_available(8 * kGibibyte);
  write("/sys/fs/cgroup/memory.max", std::to_string(kGibibyte));
  for (const char* text : {"", "garbage\n"}) {
    write("/proc/self/cgroup", text);
    EXPECT_EQ(room().bytes, kGibibyte) << text;
  }
}

TEST_F(MemoryRoomTest, IsNeverMoreThanThereIsInAll) {
  write("/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 5000 kB\n");
  EXPECT_EQ(room().bytes, 1000 * 1024);
}

TEST_F(MemoryRoomTest, TakesALimitOfTwoToThePowerOf63ForNone) {
  for (const char* none : {"9223372036854771712", "9223372036854775807", "18446744073709551615",
                           "max", "", "-1", "much"}) {
    EXPECT_FALSE(memory_limit_bytes(none)) << none;
  }
  EXPECT_EQ(memory_limit_bytes("1073741824\n"), kGibibyte);
}

TEST_F(MemoryRoomTest, BelowALimitWhoseUseIsNotKnownIsTheLimit) {
  write_available(8 * kGibibyte);
  write("/proc/self/cgroup", "0::/job\n");
  write("/sys/fs/cgroup/job/memory.max", std::to_string(kGibibyte));
  EXPECT_EQ(room().bytes, kGibibyte);
  EXPECT_EQ(room().source, "cgroup limit");
}

}  // namespace
}  // namespace voxmark

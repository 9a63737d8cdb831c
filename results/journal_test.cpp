#include "results/journal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "results/example_record.h"

namespace voxmark {
namespace {

class JournalTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder()); }
  void TearDown() override { std::filesystem::remove_all(folder()); }

  // Of this process (and its forks) alone: tests run side by side.
  static const std::filesystem::path& folder() {
    static const std::filesystem::path name =
        fmt::format("{}journal_test.{}", testing::TempDir(), getpid());
    return name;
  }
  static std::string path() { return folder() / "journal.jsonl"; }
  static void write_text(const std::string& text) {
    std::ofstream(path(), std::ios::binary) << text;
  }
  static ReportHeader header() { return example_report().header; }

  // A journal of a header and that many records.
  static std::string text_of(int records) {
    {
      Journal journal(path(), header());
      for (int i = 0; i < records; ++i) {
        journal.append(example_record("naive", i));
      }
    }
    return read_text_file(path());
  }

  static std::string read_error() {
    try {
      read_journal(path());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input);
      return error.what();
    }
    return "";
  }
};

TEST_F(JournalTest, IsTheReportWhenItIsClosed) {
  Report expected = example_report();
  Journal journal(path(), expected.header);
  for (const Record& record : expected.records) {
    journal.append(record);
  }
  EXPECT_EQ(to_json(journal.report()), to_json(expected));
  const JournalContents contents = read_journal(path());
  EXPECT_EQ(to_json(contents.report), to_json(expected));
  EXPECT_FALSE(contents.warning);
  for (const Record& record : expected.records) {
    EXPECT_TRUE(journal.contains(case_key(record.spec)));
  }
  EXPECT_FALSE(journal.contains(case_key(example_record("naive", 7).spec)));
}

TEST_F(JournalTest, ResumesWhereItEnded) {
  text_of(2);
  {
    Journal journal(path());
    EXPECT_TRUE(journal.contains(case_key(example_record("naive", 1).spec)));
    EXPECT_FALSE(journal.contains(case_key(example_record("naive", 2).spec)));
    journal.append(example_record("naive", 2));
  }
  EXPECT_EQ(read_journal(path()).report.records.size(), 3U);
  EXPECT_EQ(read_text_file(path()), text_of(3));
}

// Wherever a run was killed: the whole records stay, and the resumed journal becomes the same.
TEST_F(JournalTest, DropsATornLastLineAtEveryLength) {
  const std::string whole = text_of(2);
  const std::size_t header_end = whole.find('\n') + 1;
  const std::size_t first_end = whole.find('\n', header_end) + 1;
  for (std::size_t length = header_end; length < whole.size(); length += 37) {
    write_text(whole.substr(0, length));
    const std::size_t expected = length < first_end ? 0 : 1;
    const JournalContents contents = read_journal(path());
    ASSERT_EQ(contents.report.records.size(), expected) << length;
    const bool is_torn = length != header_end && length != first_end;
    ASSERT_EQ(contents.warning.has_value(), is_torn) << length;
    Journal journal(path());
    ASSERT_EQ(journal.warning(), contents.warning);
    for (int i = static_cast<int>(expected); i < 2; ++i) {
      journal.append(example_record("naive", i));
    }
    ASSERT_EQ(read_text_file(path()), whole) << length;
  }
}

TEST_F(JournalTest, DropsALastLineWithAWrongChecksum) {
  std::string text = text_of(2);
  text[text.size() - 20] ^= 1;
  write_text(text);
  const JournalContents contents = read_journal(path());
  EXPECT_EQ(contents.report.records.size(), 1U);
  ASSERT_TRUE(contents.warning);
  EXPECT_NE(contents.warning->find("line 3, the last one"), std::string::npos);
}

TEST_F(JournalTest, RefusesADamagedLineBeforeTheLast) {
  const std::string whole = text_of(3);
  const std::size_t second_line = whole.find('\n') + 1;
  // The digest, the frame around it, and the record: any changed byte is seen.
  for (const std::size_t offset : {0U, 15U, 80U, 200U, 900U}) {
    std::string text = whole;
    text[second_line + offset] ^= 1;
    write_text(text);
    EXPECT_NE(read_error().find(": line 2: damaged"), std::string::npos) << offset;
    EXPECT_THROW(Journal journal(path()), Error);
  }
  write_text(whole.substr(0, second_line) + "\n" + whole.substr(second_line));
  EXPECT_NE(read_error().find(": line 2: damaged"), std::string::npos);
}

TEST_F(JournalTest, RefusesWhatIsNoJournal) {
  write_text("");
  EXPECT_NE(read_error(), "");
  write_text("{\"schema\":\"voxmark.report/1\"}\n");
  EXPECT_NE(read_error().find("line 1: not the header"), std::string::npos);
  write_text(text_of(1).substr(0, 50));
  EXPECT_NE(read_error().find("line 1: not the header"), std::string::npos);
  // A record where the header belongs.
  const std::string text = text_of(1);
  write_text(text.substr(text.find('\n') + 1));
  EXPECT_NE(read_error(), "");
  std::filesystem::remove(path());
  EXPECT_NE(read_error().find("No such file"), std::string::npos);
}

TEST_F(JournalTest, KeepsALossThatIsNotFinite) {
  Record record = example_record("naive", 0);
  record.outcome = Outcome::diverged;
  record.reason = "the loss of step 1 is NaN";
  record.samples[1].loss = std::nan("");
  {
    Journal journal(path(), header());
    journal.append(record);
  }
  EXPECT_TRUE(std::isnan(read_journal(path()).report.records[0].samples[1].loss));
}

TEST_F(JournalTest, RefusesARecordThatTheReportCouldNotHold) {
  Journal journal(path(), header());
  Record record = example_record("naive", 0);
  record.verification.reset();  // ok without proof
  try {
    journal.append(record);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::internal);
  }
  EXPECT_EQ(read_journal(path()).report.records.size(), 0U);
}

TEST_F(JournalTest, BelongsToOneRunAtATime) {
  Journal journal(path(), header());
  EXPECT_THROW(Journal second(path()), Error);
  EXPECT_THROW(Journal second(path(), header()), Error);
  journal.append(example_record("naive", 0));
  EXPECT_EQ(read_journal(path()).report.records.size(), 1U);
}

TEST_F(JournalTest, BelongsToOneOfThoseThatStartAtTheSameInstant) {
  constexpr int kRuns = 8;
  for (int round = 0; round < 20; ++round) {
    std::filesystem::remove(path());
    std::barrier start(kRuns);
    std::barrier end(kRuns);
    std::atomic<int> began = 0;
    {
      std::vector<std::jthread> runs;
      for (int run = 0; run < kRuns; ++run) {
        runs.emplace_back([&] {
          std::unique_ptr<Journal> journal;
          start.arrive_and_wait();
          try {
            journal = std::make_unique<Journal>(path(), header(), std::chrono::minutes(5));
            ++began;
          } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::bad_input) << error.what();
          }
          end.arrive_and_wait();  // everybody's journal is open until now
        });
      }
    }
    ASSERT_EQ(began, 1) << "round " << round;
  }
}

TEST_F(JournalTest, BeginsInAFolderThatATrainingRunHolds) {
  const int held = ::open(folder().c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(held, LOCK_EX), 0);
  EXPECT_NO_THROW(Journal(path(), header(), std::chrono::seconds(0)));
  ::close(held);
}

TEST_F(JournalTest, ANewOneKeepsWhatAnUnfinishedRunHadMeasured) {
  const std::string unfinished = text_of(2);
  const Journal journal(path(), header());
  ASSERT_TRUE(journal.warning());
  EXPECT_NE(journal.warning()->find(path() + ".1"), std::string::npos) << *journal.warning();
  EXPECT_EQ(read_text_file(path() + ".1"), unfinished);
  EXPECT_TRUE(read_journal(path()).report.records.empty());
}

TEST_F(JournalTest, ANewOneReplacesOneWithoutRecords) {
  text_of(0);
  const Journal journal(path(), header());
  EXPECT_FALSE(journal.warning());
  EXPECT_FALSE(std::filesystem::exists(path() + ".1"));
}

TEST_F(JournalTest, EndsWhereItEndedWhenTheDiskIsFull) {
  const std::string before_text = text_of(1);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  std::string message;
  {
    Journal journal(path());
    const rlimit small{before_text.size() + 100, before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    try {
      journal.append(example_record("naive", 1));
    } catch (const Error& error) {
      message = error.what();
    }
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    EXPECT_NE(message.find("File too large"), std::string::npos) << message;
    EXPECT_EQ(read_text_file(path()), before_text);
    journal.append(example_record("naive", 1));
  }
  EXPECT_EQ(read_text_file(path()), text_of(2));
}

// A writer killed at 20 moments: every record whose append() returned is there, none twice.
TEST_F(JournalTest, LosesNothingWhenTheWriterIsKilled) {
  for (int run = 0; run < 20; ++run) {
    std::filesystem::remove(path());
    int done[2];
    ASSERT_EQ(pipe(done), 0);
    const pid_t child = fork();
    if (child == 0) {
      Journal journal(path(), header());
      for (int i = 0;; ++i) {
        journal.append(example_record("naive", i));
        if (write(done[1], "x", 1) != 1) {
          _exit(1);
        }
      }
    }
    ASSERT_GT(child, 0);
    close(done[1]);
    usleep(static_cast<useconds_t>(5000 + 3700 * run));
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    std::size_t acknowledged = 0;
    for (char byte; read(done[0], &byte, 1) == 1;) {
      ++acknowledged;
    }
    close(done[0]);
    if (!std::filesystem::exists(path())) {
      EXPECT_EQ(acknowledged, 0U);
      continue;
    }
    const std::vector<Record> records = read_journal(path()).report.records;
    EXPECT_GE(records.size(), acknowledged);
    EXPECT_LE(records.size(), acknowledged + 1);
    for (std::size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(records[i].spec["process"], i);
    }
  }
}

}  // namespace
}  // namespace voxmark

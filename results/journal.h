// The journal of a run: each finished record on the disk before the next case starts, so that
// nothing measured is lost and a stopped run resumes. The report is the journal, closed.
//
// One JSON line each: {"sha256":"<digest of the entry's text>","entry":<text>}. The first entry is
// the report's header, every other one a record.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "results/report.h"

namespace voxmark {

struct JournalContents {
  Report report;                       // the header, and the records in the order they finished
  std::optional<std::string> warning;  // the last line was torn, and dropped
  std::uint64_t whole_bytes = 0;       // of the file's lines that are whole
};

// Whether a file begins as one does; a file that cannot be read does not.
bool is_journal(const std::string& path);

// Throws Error (bad_input) when the file cannot be read, a line before the last is damaged, or an
// entry is not what results/report.schema.json allows.
JournalContents read_journal(const std::string& path);

class Journal {
 public:
  // A journal is begun in milliseconds, where the disk and the CPU are free.
  static constexpr std::chrono::seconds kPatience{10};

  // Starts a new journal, atomically: it has a header or does not exist. One that is there already
  // and has records (or cannot be read) is kept under another name, which a warning tells. Throws
  // Error: bad_input when it cannot be created or another run writes to it, internal when writing
  // fails. Others that begin a journal in the same folder are waited for, so long at most.
  Journal(const std::string& path, const ReportHeader& header,
          std::chrono::seconds patience = kPatience);
  // The same, with the records of a report that is to go on: all of them are there or none.
  Journal(const std::string& path, Report begun, std::chrono::seconds patience = kPatience);

  // Goes on where a stopped run ended; a torn last line is cut off. Throws as read_journal(), and
  // when another run writes to it.
  explicit Journal(const std::string& path);

  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Returns when the record is on the disk. Throws Error (internal) when it is not; the journal
  // then ends where it ended before.
  void append(const Record& record);

  // Forgets the records that are `unwanted`: their cases are to be run again. Throws Error
  // (internal) when that cannot be written; the journal is then as it was.
  void drop(const std::function<bool(const Record&)>& unwanted);

  // Whether a record of that case (results/record.h: case_key) is there.
  bool contains(const std::string& case_key) const;

  // What has been recorded: the report, once everything has.
  const Report& report() const { return report_; }
  // From opening it; to be shown to the user.
  const std::optional<std::string>& warning() const { return warning_; }

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t bytes_ = 0;  // of whole lines
  Report report_;
  std::set<std::string> keys_;  // of the report's cases
  std::optional<std::string> warning_;
};

}  // namespace voxmark

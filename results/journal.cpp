#include "results/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string_view>
#include <thread>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file_error.h"
#include "base/overwrite.h"
#include "base/sha256.h"

namespace voxmark {
namespace {

constexpr std::string_view kBeforeDigest = "{\"sha256\":\"";
constexpr std::string_view kBeforeEntry = "\",\"entry\":";
constexpr std::size_t kDigestBytes = 64;
constexpr std::size_t kEntryBegin = kBeforeDigest.size() + kDigestBytes + kBeforeEntry.size();

std::string to_line(const Json& entry) {
  const std::string text = dump_json(entry);
  return fmt::format("{}{}{}{}}}\n", kBeforeDigest, sha256_hex(text), kBeforeEntry, text);
}

// The entry's text, or nothing when the line (without its newline) is damaged.
std::optional<std::string_view> entry_text(std::string_view line) {
  if (line.size() <= kEntryBegin || !line.starts_with(kBeforeDigest) || !line.ends_with("}")) {
    return std::nullopt;
  }
  const std::string_view digest = line.substr(kBeforeDigest.size(), kDigestBytes);
  const std::string_view text = line.substr(kEntryBegin, line.size() - kEntryBegin - 1);
  if (line.substr(kEntryBegin - kBeforeEntry.size(), kBeforeEntry.size()) != kBeforeEntry ||
      sha256_hex(text) != digest) {
    return std::nullopt;
  }
  return text;
}

// Opens for appending and takes the lock that one run alone can hold.
int open_and_lock(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) {
    throw_bad_input("{}: not there, so there is nothing to resume", path);
  }
  if (descriptor < 0) {
    throw_file_error(path, "cannot be written", errno);
  }
  const bool is_locked = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
  const int error_number = errno;
  // Between opening and locking, another run may have put its own in this place.
  struct stat opened = {}, found = {};
  const bool is_the_same = ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &found) == 0 &&
                           opened.st_ino == found.st_ino && opened.st_dev == found.st_dev;
  if (is_locked && is_the_same) {
    return descriptor;
  }
  ::close(descriptor);
  if (is_locked || error_number == EWOULDBLOCK) {
    throw_bad_input("{}: another run is writing to it", path);
  }
  throw_internal("{}: cannot be locked: {}", path, describe_errno(error_number));
}

// Of the folder, while a journal in it is begun: two runs that start at the same instant would both
// find none. Where a folder cannot be locked, or a training run holds it for hours, the journal's
// own lock has to do.
class FolderLock {
 public:
  FolderLock(const std::string& path, std::chrono::seconds patience) {
    std::filesystem::path folder = std::filesystem::path(path).parent_path();
    descriptor_ = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const auto end = std::chrono::steady_clock::now() + patience;
    while (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 &&
           errno == EWOULDBLOCK && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  ~FolderLock() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

// Whether something would be lost with this file.
bool holds_records(const std::string& path) {
  try {
    return !read_journal(path).report.records.empty();
  } catch (const Error&) {
    return true;
  }
}

// Not another run's, and nothing measured is lost. Returns what to tell the user.
std::optional<std::string> make_room(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) {
    return std::nullopt;
  }
  const int descriptor = open_and_lock(path);
  std::optional<std::string> warning;
  if (holds_records(path)) {
    const std::string kept = name_for_keeping(path);
    if (::rename(path.c_str(), kept.c_str()) == 0) {
      warning = fmt::format("{}: of a run that was not finished, kept as {}", path, kept);
    } else {
      const int error_number = errno;
      ::close(descriptor);
      throw_internal("{}: cannot be kept as {}: {}", path, kept, describe_errno(error_number));
    }
  }
  ::close(descriptor);
  return warning;
}

}  // namespace

bool is_journal(const std::string& path) {
  std::string begin(kBeforeDigest.size(), '\0');
  std::ifstream(path, std::ios::binary).read(begin.data(), std::ssize(begin));
  return begin == kBeforeDigest;
}

JournalContents read_journal(const std::string& path) {
  const std::string text = read_text_file(path);
  JournalContents contents;
  Json document;
  std::size_t line_number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    ++line_number;
    const std::size_t end = text.find('\n', begin);
    const bool is_last = end == std::string::npos || end + 1 == text.size();
    const std::string_view line = std::string_view(text).substr(
        begin, (end == std::string::npos ? text.size() : end) - begin);
    const auto entry = end == std::string::npos ? std::nullopt : entry_text(line);
    if (!entry) {
      if (line_number == 1) {
        throw_bad_input("{}: line 1: not the header of a journal", path);
      }
      if (!is_last) {
        throw_bad_input("{}: line {}: damaged, its checksum differs", path, line_number);
      }
      contents.warning = fmt::format(
          "{}: line {}, the last one, is not whole: its record is dropped", path, line_number);
      break;
    }
    Json json = parse_json(*entry, fmt::format("{}: line {}", path, line_number));
    if (line_number == 1) {
      document = std::move(json);
      if (document.is_object()) {
        document["records"] = Json::array();
      }
    } else if (document.is_object()) {
      document["records"].push_back(std::move(json));
    }
    begin = end + 1;
    contents.whole_bytes = begin;
  }
  contents.report = report_from_json(document, path);
  return contents;
}

namespace {

// A whole journal.
std::string text_of(const Report& report, const std::string& path) {
  Json document = to_json(report);
  validate_report(document, path);
  const Json records = std::move(document["records"]);
  document.erase("records");
  std::string text = to_line(document);
  for (const Json& record : records) {
    text += to_line(record);
  }
  return text;
}

void write_whole(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace

Journal::Journal(const std::string& path, const ReportHeader& header, std::chrono::seconds patience)
    : Journal(path, Report{header, {}}, patience) {}

Journal::Journal(const std::string& path, Report begun, std::chrono::seconds patience)
    : path_(path), report_(std::move(begun)) {
  const std::string text = text_of(report_, path);
  const FolderLock lock(path, patience);
  warning_ = make_room(path);
  write_whole(path, text);
  bytes_ = text.size();
  descriptor_ = open_and_lock(path);
  for (const Record& record : report_.records) {
    keys_.insert(case_key(record.spec));
  }
}

void Journal::drop(const std::function<bool(const Record&)>& unwanted) {
  Report kept{report_.header, {}};
  std::ranges::remove_copy_if(report_.records, std::back_inserter(kept.records), unwanted);
  if (kept.records.size() == report_.records.size()) {
    return;
  }
  const std::string text = text_of(kept, path_);
  const FolderLock lock(path_, kPatience);
  write_whole(path_, text);
  const int descriptor = open_and_lock(path_);
  ::close(descriptor_);
  descriptor_ = descriptor;
  bytes_ = text.size();
  report_ = std::move(kept);
  keys_.clear();
  for (const Record& record : report_.records) {
    keys_.insert(case_key(record.spec));
  }
}

Journal::Journal(const std::string& path) : path_(path), descriptor_(open_and_lock(path)) {
  try {
    JournalContents contents = read_journal(path);
    report_ = std::move(contents.report);
    warning_ = std::move(contents.warning);
    bytes_ = contents.whole_bytes;
    if (::ftruncate(descriptor_, static_cast<off_t>(bytes_)) != 0) {
      throw_internal("{}: cannot be cut to its whole lines: {}", path, describe_errno(errno));
    }
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
  for (const Record& record : report_.records) {
    keys_.insert(case_key(record.spec));
  }
}

Journal::~Journal() { ::close(descriptor_); }

void Journal::append(const Record& record) {
  try {
    // Now, while the case is known: a report with a fault in it could not be closed.
    validate_report(to_json(Report{report_.header, {record}}), path_);
  } catch (const Error& error) {
    throw_internal("{} (a fault of the program that writes it)", error.what());
  }
  const std::string line = to_line(to_json(record));
  try {
    write_fully(descriptor_, std::as_bytes(std::span(line)), path_);
    if (::fsync(descriptor_) != 0) {
      throw_internal("{}: cannot be written: {}", path_, describe_errno(errno));
    }
  } catch (const Error&) {
    // Half a line in the middle would make the journal unreadable. If even this fails, the error
    // that is on its way says why.
    [[maybe_unused]] const int ignored = ::ftruncate(descriptor_, static_cast<off_t>(bytes_));
    throw;
  }
  bytes_ += line.size();
  keys_.insert(case_key(record.spec));
  report_.records.push_back(record);
}

bool Journal::contains(const std::string& key) const { return keys_.contains(key); }

}  // namespace voxmark

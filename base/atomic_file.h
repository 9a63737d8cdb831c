// A file that appears whole or not at all: written beside its final place, flushed to the disk,
// then renamed. An existing file stays untouched until the new one is complete.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace voxmark {

// Writes all of `bytes` to a descriptor, over interruptions and short writes.
// Throws Error (internal) with the path and the reason, for example a full disk.
void write_fully(int descriptor, std::span<const std::byte> bytes, const std::string& path);

class AtomicFile {
 public:
  // A path that names something other than a regular file (a pipe, /dev/full) is written in place,
  // never replaced. Throws Error (bad_input) when no file can be created there.
  explicit AtomicFile(const std::string& path);
  // Removes what was written, unless commit() has succeeded.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Throws Error (internal) when the bytes cannot be written.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }

  // Flushes to the disk and renames. Throws Error (internal) when that fails.
  void commit();

 private:
  std::string path_;            // as the user wrote it, for messages
  std::string final_path_;      // behind symbolic links
  std::string temporary_path_;  // empty when written in place
  int descriptor_ = -1;
};

}  // namespace voxmark

// The bytes of a regular file, decompressed if they are gzip, checked to the last one.
// Knows nothing of what the bytes mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace voxmark {

// Deflate spends at least two bits on a match of 258 bytes, so a gzip stream cannot grow more than
// this: a header that promises more is wrong, whatever else the file holds.
constexpr std::uint64_t kMaxDeflateRatio = 1032;

class ByteReader {
 public:
  // Throws Error (bad_input) when the path cannot be opened or is no regular file (a FIFO or a
  // device is refused without waiting for it). Gzip is told by its first two bytes, not by the
  // name.
  explicit ByteReader(const std::string& path);
  ~ByteReader();
  ByteReader(ByteReader&&) noexcept;
  ByteReader& operator=(ByteReader&&) noexcept;

  // Fills `bytes` and returns its size, or less at the end of the stream. The end is reached only
  // by asking for a byte past the last one; that is when the checksum and length of a gzip stream
  // are checked. Throws Error (bad_input) on damage, truncation, and bytes behind a gzip stream
  // that are not zero.
  std::size_t read(std::span<std::byte> bytes);

  bool compressed() const;
  std::uint64_t file_bytes() const;  // as stored
  const std::string& path() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace voxmark

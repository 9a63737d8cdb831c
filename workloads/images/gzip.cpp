#include "workloads/images/gzip.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/file_error.h"

namespace voxmark {
namespace {

constexpr std::size_t kInputBytes = std::size_t{1} << 17U;
constexpr int kGzipWindowBits = 15 + 16;  // the largest window; +16: gzip header and trailer only

}  // namespace

struct ByteReader::State {
  explicit State(const std::string& file) : path(file) {}
  ~State() {
    if (inflating) {
      inflateEnd(&stream);
    }
    if (descriptor >= 0) {
      close(descriptor);
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Reads more of the file into `input`, behind what is still unread. False at the end of the file.
  bool refill() {
    std::memmove(input.data(), input.data() + begin, end - begin);
    end -= begin;
    begin = 0;
    ssize_t got = 0;
    do {
      got = ::read(descriptor, input.data() + end, input.size() - end);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
      throw_file_error(path, "cannot read", errno);
    }
    end += static_cast<std::size_t>(got);
    return got > 0;
  }

  bool starts_with_gzip_magic() {
    while (end - begin < 2 && refill()) {
    }
    return end - begin >= 2 && input[begin] == 0x1F && input[begin + 1] == 0x8B;
  }

  std::size_t read_plain(std::span<std::byte> bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
      if (begin == end && !refill()) {
        break;
      }
      const std::size_t count = std::min(bytes.size() - done, end - begin);
      std::memcpy(bytes.data() + done, input.data() + begin, count);
      begin += count;
      done += count;
    }
    return done;
  }

  std::size_t read_gzip(std::span<std::byte> bytes) {
    std::size_t done = 0;
    while (done < bytes.size() && !finished) {
      if (begin == end && !refill()) {
        throw_bad_input(
            "gzip: {}: the stream is cut short: the file ends after {} bytes, before "
            "the stream's checksum and length",
            path, file_bytes);
      }
      constexpr std::size_t kLargest = std::size_t{1} << 30U;  // avail_out has 32 bits
      const std::size_t room = std::min(bytes.size() - done, kLargest);
      stream.next_in = input.data() + begin;
      stream.avail_in = static_cast<uInt>(end - begin);
      stream.next_out = reinterpret_cast<Bytef*>(bytes.data() + done);
      stream.avail_out = static_cast<uInt>(room);
      const int status = inflate(&stream, Z_NO_FLUSH);
      begin = end - stream.avail_in;
      done += room - stream.avail_out;
      if (status == Z_STREAM_END) {
        end_member();
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        throw_bad_input("gzip: {}: damaged stream: {}", path,
                        stream.msg != nullptr ? stream.msg : "preset dictionary");
      }
    }
    return done;
  }

  // A gzip file may hold several members one after the other (RFC 1952, 2.2), with zeros behind
  // each, as tapes and block devices pad them, and nothing else.
  void end_member() {
    skip_zeros();
    if (starts_with_gzip_magic()) {
      inflateReset(&stream);
    } else if (begin != end) {
      throw_bad_input("gzip: {}: bytes that are not gzip follow the end of the stream", path);
    } else {
      finished = true;
    }
  }

  void skip_zeros() {
    while (begin < end || refill()) {
      if (input[begin] != 0) {
        return;
      }
      ++begin;
    }
  }

  std::string path;
  int descriptor = -1;
  std::uint64_t file_bytes = 0;
  bool compressed = false;
  bool inflating = false;
  bool finished = false;
  z_stream stream{};
  std::array<unsigned char, kInputBytes> input{};
  std::size_t begin = 0;  // the unread part of `input`
  std::size_t end = 0;
};

ByteReader::ByteReader(const std::string& path) : state_(std::make_unique<State>(path)) {
  // O_NONBLOCK: opening a FIFO without a writer must not wait for one.
  state_->descriptor = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (state_->descriptor < 0) {
    throw_file_error(path, "cannot open", errno);
  }
  struct stat status{};
  if (fstat(state_->descriptor, &status) != 0) {
    throw_file_error(path, "cannot stat", errno);
  }
  if (!S_ISREG(status.st_mode)) {
    throw_bad_input("{}: expected a regular file, found a {}", path,
                    S_ISDIR(status.st_mode)    ? "directory"
                    : S_ISFIFO(status.st_mode) ? "FIFO"
                                               : "device or socket");
  }
  state_->file_bytes = static_cast<std::uint64_t>(status.st_size);
  state_->compressed = state_->starts_with_gzip_magic();
  if (state_->compressed) {
    if (inflateInit2(&state_->stream, kGzipWindowBits) != Z_OK) {
      throw_internal("gzip: {}: cannot initialise zlib", path);
    }
    state_->inflating = true;
  }
}

ByteReader::~ByteReader() = default;
ByteReader::ByteReader(ByteReader&&) noexcept = default;
ByteReader& ByteReader::operator=(ByteReader&&) noexcept = default;

std::size_t ByteReader::read(std::span<std::byte> bytes) {
  return state_->compressed ? state_->read_gzip(bytes) : state_->read_plain(bytes);
}

bool ByteReader::compressed() const { return state_->compressed; }
std::uint64_t ByteReader::file_bytes() const { return state_->file_bytes; }
const std::string& ByteReader::path() const { return state_->path; }

}  // namespace voxmark

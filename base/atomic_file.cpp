#include "base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "base/file_error.h"

namespace voxmark {
namespace {

// Makes the rename itself durable. A file system that cannot sync a folder is not our failure.
void sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return;
  }
  ::fsync(descriptor);
  ::close(descriptor);
}

// Where links lead to a file that is not there yet: it is made there, and the links stay.
std::string behind_links(const std::string& path) {
  std::error_code error;
  std::filesystem::path at = path;
  while (std::filesystem::is_symlink(std::filesystem::symlink_status(at, error))) {
    const std::filesystem::path target = std::filesystem::read_symlink(at, error);
    if (error) {
      break;
    }
    at = at.parent_path() / target;  // which an absolute target replaces
  }
  return at.string();
}

}  // namespace

void write_fully(int descriptor, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0) {
      if (errno == EINTR) {
        continue;
      }
      throw_internal("{}: cannot be written: {}", path, describe_errno(errno));
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), final_path_(path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (error == std::errc::too_many_symbolic_link_levels) {
    throw_file_error(path, "cannot be created", error.value());
  }
  if (std::filesystem::is_directory(status)) {
    throw_bad_input("{}: cannot be written: it is a folder", path);
  }
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    if (std::filesystem::exists(status)) {
      const auto resolved = std::filesystem::canonical(path, error);
      if (!error) {
        final_path_ = resolved.string();
      }
    } else {
      final_path_ = behind_links(path);
    }
    temporary_path_ = fmt::format("{}.{}.part", final_path_, ::getpid());
    descriptor_ = ::open(temporary_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  }
  if (descriptor_ < 0) {
    throw_file_error(path, "cannot be created", errno);
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) {
    return;
  }
  ::close(descriptor_);
  if (!temporary_path_.empty()) {
    ::unlink(temporary_path_.c_str());
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) { write_fully(descriptor_, bytes, path_); }

void AtomicFile::commit() {
  const bool in_place = temporary_path_.empty();
  if (!in_place && ::fsync(descriptor_) != 0) {
    throw_internal("{}: cannot be written: {}", path_, describe_errno(errno));
  }
  if (!in_place && ::rename(temporary_path_.c_str(), final_path_.c_str()) != 0) {
    throw_internal("{}: cannot be put in place: {}", path_, describe_errno(errno));
  }
  ::close(descriptor_);
  descriptor_ = -1;
  if (!in_place) {
    sync_folder_of(final_path_);
  }
}

}  // namespace voxmark

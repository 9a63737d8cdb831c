#include "workloads/data_sets/data_files.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/error_lines.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

// The first link on the way to `path`, or the path itself where there is none.
fs::path first_link(const fs::path& root, const std::string& path) {
  std::error_code error;
  fs::path way = root;
  for (const fs::path& part : fs::path(path)) {
    way /= part;
    if (fs::is_symlink(way, error)) {
      return way;
    }
  }
  return way;
}

std::string why_not_there(const fs::path& root, const std::string& path,
                          const std::error_code& reason) {
  std::error_code error;
  const std::string file = (root / path).string();
  const fs::path link = first_link(root, path);
  if (!fs::is_symlink(link, error)) {
    return fmt::format("{}: {}", file, reason.message());
  }
  const std::string target = fs::read_symlink(link, error).string();
  const bool annex = target.find(".git/annex/objects") != std::string::npos;
  return fmt::format("{}: a link to {}: {}{}", file, target, reason.message(),
                     annex ? "; git annex get fetches it" : "");
}

}  // namespace

void FileFaults::check(const std::string& path) {
  std::error_code error;
  const fs::path real = fs::canonical(root_ / path, error);
  if (error) {
    return add(why_not_there(root_, path, error));
  }
  const auto [root_end, unused] =
      std::mismatch(root_.begin(), root_.end(), real.begin(), real.end());
  if (root_end != root_.end() && !follow_links_) {
    if (++links_out_ > 1) {
      return;
    }
    return add(fmt::format(
        "{}: a link out of the folder, to {}; --follow-links reads what such links lead to",
        (root_ / path).string(), real.string()));
  }
  if (!fs::is_regular_file(real, error)) {
    add(fmt::format("{}: expected a regular file{}", (root_ / path).string(),
                    fs::is_directory(real, error) ? ", found a folder" : ""));
  }
}

void FileFaults::throw_if_any() const {
  std::vector<std::string> lines = faults_;
  if (links_out_ > 1) {
    lines.push_back(fmt::format("{} more files are links out of the folder", links_out_ - 1));
  }
  if (!lines.empty()) {
    throw ErrorLines(ExitCode::bad_input, std::move(lines));
  }
}

std::string link_target(const std::string& folder, const std::string& relative) {
  std::error_code error;
  if (!fs::is_symlink(first_link(folder, relative), error)) {
    return "";
  }
  return fs::canonical(fs::path(folder) / relative, error).string();
}

void throw_case_faults(const std::vector<std::string>& faults, std::size_t cases) {
  if (faults.size() == 1) {
    throw_bad_input("{}", faults.front());
  }
  if (faults.empty()) {
    return;
  }
  std::vector<std::string> lines = {
      fmt::format("{} of {} cases cannot be read:", faults.size(), cases)};
  lines.insert(lines.end(), faults.begin(), faults.end());
  throw ErrorLines(ExitCode::bad_input, std::move(lines));
}

}  // namespace voxmark

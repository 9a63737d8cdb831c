#include "tools/voxmark/external.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "base/own_program.h"

namespace voxmark {
namespace {

bool is_name(const std::string& text) {
  return !text.empty() && text.front() != '-' &&
         std::all_of(text.begin(), text.end(), [](char character) {
           return (character >= 'a' && character <= 'z') ||
                  (character >= '0' && character <= '9') || character == '-';
         });
}

bool is_program(const std::filesystem::path& path) {
  std::error_code failure;
  return std::filesystem::is_regular_file(path, failure) && access(path.c_str(), X_OK) == 0;
}

}  // namespace

std::optional<std::string> find_external(const std::string& name, const std::string& folder,
                                         const std::string& path) {
  if (!is_name(name)) {
    return std::nullopt;
  }
  std::vector<std::string> folders = {folder};
  std::istringstream parts(path);
  for (std::string part; std::getline(parts, part, ':');) {
    if (!part.empty()) {  // an empty one would be the working folder: no
      folders.push_back(part);
    }
  }
  for (const std::string& candidate : folders) {
    const std::filesystem::path program = std::filesystem::path(candidate) / ("voxmark-" + name);
    if (is_program(program)) {
      return program.string();
    }
  }
  return std::nullopt;
}

std::string program_folder() {
  return std::filesystem::path(own_program_path()).parent_path().string();
}

void become_external(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  throw_internal("{}: cannot be started: {}", program, describe_errno(errno));
}

}  // namespace voxmark

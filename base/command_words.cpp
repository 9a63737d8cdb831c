#include "base/command_words.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>

namespace voxmark {
namespace {

bool is_file(const std::string& path) {
  std::error_code failure;
  return std::filesystem::is_regular_file(path, failure);
}

}  // namespace

std::vector<std::string> command_words(const std::string& text) {
  std::vector<std::string> command;
  std::size_t end = text.size();
  for (; end != std::string::npos && end > 0; end = text.rfind(' ', end - 1)) {
    if (is_file(text.substr(0, end))) {
      command.push_back(text.substr(0, end));
      break;
    }
  }
  std::istringstream words(command.empty() ? text : text.substr(end));
  for (std::string word; words >> word;) {
    command.push_back(word);
  }
  return command;
}

std::vector<char*> exec_pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

std::string program_path(const std::string& word, const std::string& path) {
  if (word.find('/') != std::string::npos) {
    return is_file(word) ? word : "";
  }
  std::istringstream folders(path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string candidate = (folder.empty() ? "." : folder) + "/" + word;
    if (is_file(candidate) && access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
  }
  return "";
}

std::string program_path(const std::string& word) {
  const char* const path = std::getenv("PATH");
  return program_path(word, path == nullptr ? "" : path);
}

}  // namespace voxmark

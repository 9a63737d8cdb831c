#include "benches/exchange/outside_program.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <sstream>
#include <system_error>

#include "base/command_words.h"
#include "base/error.h"
#include "base/sha256.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

bool is_file(const std::string& path) {
  std::error_code failure;
  return fs::is_regular_file(path, failure);
}

// The file that an argument names: all of it, or what stands behind its first '='.
std::string file_of(const std::string& argument) {
  if (is_file(argument)) {
    return argument;
  }
  const std::string behind = argument.substr(argument.find('=') + 1);
  return is_file(behind) ? behind : "";
}

std::vector<std::string> digests(const OutsideProgramFacts& facts) {
  std::vector<std::string> all;
  for (const ProgramFile& file : *facts.files) {
    all.push_back(*file.sha256);
  }
  return all;
}

// The words that are no files.
std::vector<std::string> options_of(const OutsideProgramFacts& facts) {
  std::istringstream words(*facts.command);
  std::vector<std::string> options;
  std::string word;
  words >> word;  // the program
  while (words >> word) {
    const std::string file = file_of(word);
    options.push_back(word.substr(0, word.size() - file.size()));
  }
  return options;
}

}  // namespace

std::string OutsideProgram::digest(const std::string& file) {
  std::error_code failure;
  const fs::file_time_type written = fs::last_write_time(file, failure);
  const std::uintmax_t bytes = fs::file_size(file, failure);
  Known& known = known_[file];
  if (known.sha256.empty() || known.written != written || known.bytes != bytes) {
    known = {written, bytes, sha256_file(file)};
  }
  return known.sha256;
}

OutsideProgramFacts OutsideProgram::facts(const std::vector<std::string>& command) {
  std::vector<ProgramFile> files;
  for (std::size_t i = 0; i < command.size(); ++i) {
    const std::string file = i == 0 ? program_path(command[i]) : file_of(command[i]);
    if (!file.empty() && access(file.c_str(), R_OK) == 0) {
      files.push_back({file, digest(file)});
    }
  }
  return {fmt::format("{}", fmt::join(command, " ")), std::move(files)};
}

std::string same_program_warning(const OutsideProgramFacts& first,
                                 const OutsideProgramFacts& second) {
  const std::vector<std::string> hashes = digests(first);
  if (hashes.empty() || hashes != digests(second)) {
    return "";
  }
  const std::string& command = *second.command;
  if (options_of(first) == options_of(second)) {
    return fmt::format(
        "{} and {} are the same program (sha256 {}): what differs between the sides is noise",
        *first.command, command, hashes.back().substr(0, 12));
  }
  return fmt::format("{} and {} are the same program (sha256 {}) with other arguments",
                     *first.command, command, hashes.back().substr(0, 12));
}

}  // namespace voxmark

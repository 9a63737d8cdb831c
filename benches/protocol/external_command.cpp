#include "benches/protocol/external_command.h"

#include <filesystem>
#include <sstream>
#include <string_view>

#include "base/error.h"
#include "benches/protocol/contender.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

std::vector<std::string> external_command(const std::string& backend) {
  const std::string text = backend.substr(std::string_view(kExternalPrefix).size());
  std::vector<std::string> command;
  std::size_t end = text.size();
  for (; end != std::string::npos && end > 0; end = text.rfind(' ', end - 1)) {
    std::error_code error;
    if (std::filesystem::is_regular_file(text.substr(0, end), error)) {
      command.push_back(text.substr(0, end));
      break;
    }
  }
  std::istringstream words(command.empty() ? text : text.substr(end));
  for (std::string word; words >> word;) {
    command.push_back(word);
  }
  if (command.empty()) {
    throw_bad_input("backend {}: expected a program after the colon", backend);
  }
  return command;
}

}  // namespace voxmark

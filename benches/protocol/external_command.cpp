#include "benches/protocol/external_command.h"

#include <string_view>

#include "base/command_words.h"
#include "base/error.h"
#include "benches/protocol/contender.h"

namespace voxmark {

std::vector<std::string> external_command(const std::string& backend) {
  std::vector<std::string> command =
      command_words(backend.substr(std::string_view(kExternalPrefix).size()));
  if (command.empty()) {
    throw_bad_input("backend {}: expected a program after the colon", backend);
  }
  return command;
}

}  // namespace voxmark

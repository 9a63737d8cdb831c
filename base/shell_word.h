// Words of a command line that a person copies.
#pragma once

#include <string>

namespace voxmark {

// As a shell reads it back: quoted where it must be.
std::string shell_word(const std::string& text);

}  // namespace voxmark

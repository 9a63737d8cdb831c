// Words for whoever watches a command: standard error, and progress on standard output.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string_view>
#include <utility>

namespace voxmark {

// Where nobody can be told (a closed descriptor, a full disk, a reader that has gone) the work goes
// on: never throws. fmt::print() does.
void tell_text(std::FILE* stream, std::string_view text) noexcept;

template <class... Args>
void tell(std::FILE* stream, fmt::format_string<Args...> format, Args&&... args) {
  tell_text(stream, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace voxmark

// What an action is refused with, for tests.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace voxmark {

// The message of the Error that `action` throws, which has to be of that code; "" where it throws
// none.
std::string refusal_of(const auto& action, ExitCode code = ExitCode::bad_input) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "";
}

}  // namespace voxmark

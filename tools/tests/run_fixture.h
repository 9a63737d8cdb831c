// Runs of tiny cases, each test in a folder of its own: what run_test and faults_test share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/testing/temporary_folder.h"
#include "tools/tests/command.h"

namespace voxmark {

using Arguments = std::vector<std::string>;

// The flags of a case that takes milliseconds.
inline Arguments tiny_run(const std::string& out, const Arguments& more) {
  Arguments arguments = {"run",     "--image", "32",       "--filters",   "2",
                         "--steps", "2",       "--warmup", "1",           "--threads",
                         "1",       "--out",   out,        "--no-limits", "--taint-repeats",
                         "0"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  if (std::ranges::find(more, "--resume") == more.end()) {
    arguments.emplace_back("--overwrite");  // a test runs several times
  }
  return arguments;
}

class RunTest : public testing::Test {
 protected:
  // Proofs of one test must not serve another.
  void SetUp() override { setenv("XDG_CACHE_HOME", folder_.path().c_str(), 1); }

  CommandResult run(const Arguments& more) { return run_voxmark(tiny_run(report_, more)); }

  TemporaryFolder folder_;
  std::string report_ = folder_.path() + "/report.json";
};

}  // namespace voxmark

#include "benches/machine/build_info.h"

#include "voxmark_git_info.h"

namespace voxmark {

std::string voxmark_version() { return VOXMARK_VERSION_TEXT; }

Json build_facts() {
  return {{"compiler", VOXMARK_COMPILER},
          {"build_type", VOXMARK_BUILD_TYPE},
          {"flags", VOXMARK_CXX_FLAGS},
          {"kernel_architecture", VOXMARK_KERNEL_ARCH}};
}

Json program_facts(const std::string& binary_sha256) {
  const std::string commit = VOXMARK_COMMIT;
  Json facts = {{"version", VOXMARK_VERSION},
                {"commit", commit.empty() ? Json() : Json(commit)},
                {"dirty", commit.empty() ? Json() : Json(VOXMARK_DIRTY)},
                {"binary_sha256", binary_sha256}};
  if (commit.empty()) {
    facts["reason"] = "not built from a git checkout";
  }
  return facts;
}

}  // namespace voxmark

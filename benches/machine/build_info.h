// Where this program comes from: what the build knew.
#pragma once

#include <string>

#include "base/json.h"

namespace voxmark {

// "1.2.3" of a commit with the tag v1.2.3 and of a tarball; "0.1.0+60e9db47e5b9" of another commit,
// with ".changed" where files differed from it.
std::string voxmark_version();

// compiler, flags, build_type, architecture (-march).
Json build_facts();

// For a report's header: version, commit, dirty, binary_sha256, reason.
Json program_facts(const std::string& binary_sha256);

}  // namespace voxmark

// Where this program comes from: what the build knew.
#pragma once

#include <string>

#include "base/json.h"

namespace voxmark {

std::string voxmark_version();

// compiler, flags, build_type, architecture (-march).
Json build_facts();

// For a report's header: version, commit, dirty, binary_sha256, reason.
Json program_facts(const std::string& binary_sha256);

}  // namespace voxmark

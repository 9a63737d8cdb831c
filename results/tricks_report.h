// What `voxmark tricks` compared, in the format "voxmark.tricks/1" that results/tricks.schema.json
// defines.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace voxmark {

std::string_view tricks_schema_text();

// Throws Error (bad_input) when the file cannot be read or breaks the schema.
Json read_tricks(const std::string& path);

}  // namespace voxmark

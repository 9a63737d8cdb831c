// The memory modules, from the firmware's tables (SMBIOS type 17), which only root may read.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"

namespace voxmark {

// Of one raw entry: {"bytes", "type", "mega_transfers_per_second"}; nothing for an empty slot or
// bytes that are no such entry.
std::optional<Json> parse_dimm(const std::string& entry);

// [{...}], or {"reason"}. `root` stands before /sys.
Json dimms(const std::string& root = "");

}  // namespace voxmark

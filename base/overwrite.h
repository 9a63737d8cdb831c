// One rule for all that writes what was measured or predicted: a result that is there is not
// overwritten without a word. What is made of results (pages, tables, bundles) can be made again
// and is no result.
#pragma once

#include <string>

namespace voxmark {

// Whether something would be lost with this file. An empty one, a pipe or a device is nothing.
bool holds_something(const std::string& path);

// Throws Error (bad_input) when `path` holds something and `overwrite` is not set. `flag` named the
// place; `otherwise`: another way that there is, ", or ...".
void check_overwrite(const std::string& flag, const std::string& path, bool overwrite,
                     const std::string& otherwise = "");

// "run.json.1", or the next number that is free.
std::string name_for_keeping(const std::string& path);

}  // namespace voxmark

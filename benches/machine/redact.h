// What a report or a description of a machine says of whose it is, taken out: host names and
// folders. File names stay, and everything that a measurement depends on.
#pragma once

#include <string>

#include "base/json.h"

namespace voxmark {

// Every absolute path in a text is cut to its file name: "/home/jo/lib/libdnnl.so" ->
// "libdnnl.so". Wherever it stands in the text, as in a command line.
std::string redact_paths(const std::string& text);

// All texts of a document, keys aside; those that are a path as a whole (under "suite", "rerun_of",
// "data" and "path") are cut to the file name even where they have blanks or no slash in front. And
// "host" of its "system" section, at any depth, becomes "redacted", as do all of "hosts". `host` is
// taken out wherever else it stands in a text; "" for none.
Json redacted(const Json& document, const std::string& host);

}  // namespace voxmark

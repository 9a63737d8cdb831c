// JSON schemas of a case, and the table for readers in other languages: both of case_fields().
#pragma once

#include "base/json.h"

namespace voxmark {

// As runner and child say it: every field but the optional ones, and no other.
Json protocol_case_schema();
// As reports of every version have it; members that are no fields are welcome.
Json report_case_schema();
// A grid of a suite file.
Json grid_schema();

// The fields with what a reader needs of them: name, key, label, meaning.
Json fields_for_readers();

}  // namespace voxmark

// The files of results/claims, as part of the program.
#pragma once

#include <string_view>

namespace voxmark {

std::string_view claims_schema_text();
std::string_view whitepaper_claims_text();
std::string_view whitepaper_suite_text(bool quick);

}  // namespace voxmark

// The floating-point format that a step is computed in.
#pragma once

#include <string>

namespace voxmark {

enum class Precision { fp64, fp32, bf16 };

std::string to_string(Precision precision);
// Throws Error (bad_input) on anything but fp64, fp32, bf16.
Precision parse_precision(const std::string& text);

}  // namespace voxmark

// The floating-point format that a step is computed in.
#pragma once

#include <cstdint>
#include <string>

namespace voxmark {

enum class Precision { fp64, fp32, bf16 };

std::string to_string(Precision precision);
// Throws Error (bad_input) on anything but fp64, fp32, bf16.
Precision parse_precision(const std::string& text);
// Of what is stored in it: a step's activations and their gradients.
std::int64_t element_bytes(Precision precision);

}  // namespace voxmark

// Every reader of bytes that come from somebody else, as a function of those bytes. What a reader
// refuses it refuses by Error (bad_input); anything else is a fault that the fuzzer finds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace voxmark {

using FuzzReader = void (*)(const std::string& bytes);

struct FuzzTarget {
  std::string_view name;  // of its corpus folder as well
  FuzzReader read;
};

// json, nifti, gzip, dataset, safetensors, suite, protocol, journal, report, training, checkpoint,
// results, reference, recorded
std::span<const FuzzTarget> fuzz_targets();

// Runs one; returns false when it refused the bytes. Any other exception passes through.
bool accepts(const FuzzTarget& target, const std::string& bytes);

}  // namespace voxmark

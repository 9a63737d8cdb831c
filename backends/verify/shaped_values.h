// Tensors of a file that must have a given shape.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "workloads/network/program.h"
#include "workloads/network/safetensors.h"

namespace voxmark {

// Throws Error (bad_input) naming `what` the file is, file and tensor when the shape is another.
inline void check_shape(std::string_view what, const SafetensorsFile& file, const std::string& name,
                        const Shape& expected) {
  const Shape& found = file.entry(name).shape;
  if (found != expected) {
    throw_bad_input("{} {}: {} has shape [{}], expected [{}]", what, file.path(), name,
                    fmt::join(found, ", "), fmt::join(expected, ", "));
  }
}

// Values in row-major order. Throws as check_shape and SafetensorsFile::read_doubles do.
inline std::vector<double> read_shaped(std::string_view what, const SafetensorsFile& file,
                                       const std::string& name, const Shape& expected) {
  check_shape(what, file, name, expected);
  return file.read_doubles(name);
}

}  // namespace voxmark

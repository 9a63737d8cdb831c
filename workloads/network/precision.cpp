#include "workloads/network/precision.h"

#include "base/error.h"

namespace voxmark {

std::string to_string(Precision precision) {
  switch (precision) {
    case Precision::fp64:
      return "fp64";
    case Precision::fp32:
      return "fp32";
    case Precision::bf16:
      return "bf16";
  }
  return "";
}

Precision parse_precision(const std::string& text) {
  for (const Precision precision : {Precision::fp64, Precision::fp32, Precision::bf16}) {
    if (text == to_string(precision)) {
      return precision;
    }
  }
  throw_bad_input("precision {}: expected fp64, fp32 or bf16", text);
}

std::int64_t element_bytes(Precision precision) {
  switch (precision) {
    case Precision::fp64:
      return 8;
    case Precision::fp32:
      return 4;
    case Precision::bf16:
      return 2;
  }
  return 0;
}

}  // namespace voxmark

// How a step rounds, which decides how near to the reference its results come.
#pragma once

#include "workloads/network/precision.h"

namespace voxmark {

// bf32: values are stored and added in fp32, and convolutions round what they multiply to bf16.
enum class Rounding { fp64, fp32, bf32, bf16 };  // from fine to coarse

constexpr Rounding rounding_of(Precision precision) {
  switch (precision) {
    case Precision::fp64:
      return Rounding::fp64;
    case Precision::fp32:
      return Rounding::fp32;
    case Precision::bf16:
      break;
  }
  return Rounding::bf16;
}

}  // namespace voxmark

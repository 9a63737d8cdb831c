// The axis of instruction sets: the paper's stock build and today's differ in what they may use.
// Our own kernels are built for each set (ci/isa), libraries that choose at run time are capped
// alike.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace voxmark {

struct Isa {
  std::string name;                      // "avx2"
  std::vector<std::string> environment;  // "NAME=VALUE": caps oneDNN and PyTorch
};

// Null when there is none of that name.
const Isa* find_isa(const std::string& name);

// The voxmark that was built for it, beside `program`.
std::string isa_program(const Isa& isa, const std::string& program);

// Why a case of it cannot run here; `needed`: an isa_program(), or "" for a program of somebody
// else's. Nothing when it can.
std::optional<std::string> isa_missing(const Isa& isa, const std::string& needed);

// voxmark-avx512 beside `program`, where that is called voxmark and this CPU can run the other.
std::optional<std::string> wider_sibling(const std::string& program);

}  // namespace voxmark

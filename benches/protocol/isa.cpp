#include "benches/protocol/isa.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace voxmark {
namespace {

const std::vector<Isa>& all_isas() {
  // PyTorch's own kernels know nothing between SSE and AVX2.
  static const std::vector<Isa> all = {
      {"avx", {"ONEDNN_MAX_CPU_ISA=AVX", "ATEN_CPU_CAPABILITY=default"}},
      {"avx2", {"ONEDNN_MAX_CPU_ISA=AVX2", "ATEN_CPU_CAPABILITY=avx2"}},
      {"avx512", {"ONEDNN_MAX_CPU_ISA=AVX512_CORE", "ATEN_CPU_CAPABILITY=avx512"}}};
  return all;
}

bool cpu_has(const Isa& isa) {
  if (isa.name == "avx") {
    return __builtin_cpu_supports("avx") != 0;
  }
  if (isa.name == "avx2") {
    return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  }
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
}

}  // namespace

const Isa* find_isa(const std::string& name) {
  const auto found = std::find_if(all_isas().begin(), all_isas().end(),
                                  [&](const Isa& isa) { return isa.name == name; });
  return found == all_isas().end() ? nullptr : &*found;
}

std::string isa_program(const Isa& isa, const std::string& program) {
  std::error_code failure;  // own_program() may be a link
  const std::filesystem::path whole = std::filesystem::canonical(program, failure);
  return whole.parent_path() / ("voxmark-" + isa.name);
}

std::optional<std::string> isa_missing(const Isa& isa, const std::string& needed) {
  if (!cpu_has(isa)) {
    return "this CPU has no " + isa.name;
  }
  if (!needed.empty() && access(needed.c_str(), X_OK) != 0) {
    return "not built for " + isa.name + " (ci/isa)";
  }
  return std::nullopt;
}

std::optional<std::string> wider_sibling(const std::string& program) {
  std::error_code failure;
  if (std::filesystem::canonical(program, failure).filename() != "voxmark") {
    return std::nullopt;
  }
  const Isa& widest = all_isas().back();
  const std::string sibling = isa_program(widest, program);
  return isa_missing(widest, sibling) ? std::nullopt : std::optional(sibling);
}

}  // namespace voxmark

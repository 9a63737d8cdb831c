// The backends of this build, by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backends/backend.h"
#include "backends/matrix_product.h"

namespace voxmark {

// One entry per backend that voxmark knows, built or not: one that is not built is reported as
// skipped, never silently absent.
struct RegisteredBackend {
  std::string name;
  const Backend* backend = nullptr;  // null: not built
  std::string missing;               // what it needs, when it is not built
};

// In the order in which tables show them.
const std::vector<RegisteredBackend>& registered_backends();

// Throws Error (bad_input) naming the known ones when there is no such backend, and `besides`: what
// the caller takes beside them.
const RegisteredBackend& find_backend(const std::string& name, std::string_view besides = "");

// Why a backend cannot run the program as the options say; "" where it can.
std::string obstacle(const RegisteredBackend& entry, const Program& program,
                     const CompileOptions& options);

// The libraries that backends of this build compute with, each once.
std::vector<BackendLibrary> backend_libraries();

// The product of bf16 matrices by the fastest library of this build, or why there is none.
ProductOrReason bf16_matrix_product();

}  // namespace voxmark

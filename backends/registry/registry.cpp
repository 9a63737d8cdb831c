#include "backends/registry/registry.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "backends/example/example.h"
#include "backends/naive/naive.h"
#include "backends/null/null.h"
#include "backends/plan/keeps_everything.h"
#include "base/error.h"
#ifdef VOXMARK_WITH_EIGEN
#include "backends/eigen/eigen.h"
#endif
#ifdef VOXMARK_WITH_ONEDNN
#include "backends/onednn/onednn.h"
#endif

namespace voxmark {

const std::vector<RegisteredBackend>& registered_backends() {
  static const std::vector<RegisteredBackend> backends = {
      {"naive", &naive_backend(), ""},
#ifdef VOXMARK_WITH_EIGEN
      {"eigen", &eigen_backend(), ""},     {"eigen-tensor", &eigen_tensor_backend(), ""},
#else
      {"eigen", nullptr, "libeigen3-dev"}, {"eigen-tensor", nullptr, "libeigen3-dev"},
#endif
#ifdef VOXMARK_WITH_ONEDNN
      {"onednn", &onednn_backend(), ""},   {"onednn-direct", &onednn_direct_backend(), ""},
#else
      {"onednn", nullptr, "libdnnl-dev"},  {"onednn-direct", nullptr, "libdnnl-dev"},
#endif
      {"example", &example_backend(), ""}, {"null", &null_backend(), ""},
  };
  return backends;
}

const RegisteredBackend& find_backend(const std::string& name, std::string_view besides) {
  std::string known;
  for (const RegisteredBackend& entry : registered_backends()) {
    if (entry.name == name) {
      return entry;
    }
    known += (known.empty() ? "" : ", ") + entry.name;
  }
  if (name == kKeepsEverything) {
    throw_bad_input(
        "backend {0}: arithmetic of voxmark plan, no backend; to see it: voxmark plan --backend "
        "{0}",
        name);
  }
  if (!besides.empty()) {
    known += fmt::format(", {}", besides);
  }
  throw_bad_input(
      "backend {}: unknown, expected one of {} (run and verify take programs outside of voxmark, "
      "too: exec:PROGRAM without a comma, and those of voxmark list backends)",
      name, known);
}

std::string obstacle(const RegisteredBackend& entry, const Program& program,
                     const CompileOptions& options) {
  if (entry.backend == nullptr) {
    return "not built: needs " + entry.missing;
  }
  const auto unsupported = entry.backend->unsupported(program, options);
  return unsupported ? unsupported->reason : "";
}

std::vector<BackendLibrary> backend_libraries() {
  std::vector<BackendLibrary> libraries;
  for (const RegisteredBackend& entry : registered_backends()) {
    std::optional<BackendLibrary> library =
        entry.backend == nullptr ? std::nullopt : entry.backend->library();
    if (library &&
        std::ranges::find(libraries, library->name, &BackendLibrary::name) == libraries.end()) {
      libraries.push_back(*std::move(library));
    }
  }
  return libraries;
}

ProductOrReason bf16_matrix_product() {
#ifdef VOXMARK_WITH_ONEDNN
  return onednn_bf16_product();
#else
  return Unsupported{"not built: needs oneDNN"};
#endif
}

}  // namespace voxmark

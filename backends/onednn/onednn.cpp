#include "backends/onednn/onednn.h"

#include "backends/onednn/compat.h"
#include "backends/onednn/executable.h"

namespace voxmark {
namespace {

class OnednnBackend final : public Backend {
 public:
  std::string_view name() const override { return "onednn"; }
  std::string_view description() const override {
    return "oneDNN primitives made once, explicit layouts, own passes between them (fp32)";
  }

  std::optional<Unsupported> unsupported(const Program&,
                                         const CompileOptions& options) const override {
    if (options.precision != Precision::fp32) {
      return Unsupported{"onednn computes in fp32, not in " + to_string(options.precision)};
    }
    return std::nullopt;
  }

  MemoryPlan plan(const Program& program, const CompileOptions& options) const override {
    return onednn::preview(program, options, onednn::isa_in_use().block).plan;
  }

  std::unique_ptr<Executable> compile(const Program& program,
                                      const CompileOptions& options) const override {
    return onednn::compile(program, options, onednn::isa_in_use().block);
  }
};

}  // namespace

const Backend& onednn_backend() {
  static const OnednnBackend backend;
  return backend;
}

}  // namespace voxmark

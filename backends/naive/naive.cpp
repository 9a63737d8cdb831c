#include "backends/naive/naive.h"

#include "backends/interpreter/interpreter.h"
#include "backends/naive/kernels.h"

namespace voxmark {
namespace {

class NaiveBackend final : public Backend {
 public:
  std::string_view name() const override { return "naive"; }
  std::string_view description() const override {
    return "readable loops, the reference (fp32, fp64)";
  }

  std::optional<Unsupported> unsupported(const Program&,
                                         const CompileOptions& options) const override {
    if (options.precision == Precision::bf16) {
      return Unsupported{"naive computes in fp32 and fp64, not in bf16"};
    }
    return std::nullopt;
  }

  MemoryPlan plan(const Program& program, const CompileOptions& options) const override {
    return options.precision == Precision::fp64
               ? Interpreter<NaiveKernels<double>>::lay_out(program, options).plan
               : Interpreter<NaiveKernels<float>>::lay_out(program, options).plan;
  }

  std::unique_ptr<Executable> compile(const Program& program,
                                      const CompileOptions& options) const override {
    if (options.precision == Precision::fp64) {
      return std::make_unique<Interpreter<NaiveKernels<double>>>(program, options);
    }
    return std::make_unique<Interpreter<NaiveKernels<float>>>(program, options);
  }
};

}  // namespace

const Backend& naive_backend() {
  static const NaiveBackend backend;
  return backend;
}

}  // namespace voxmark

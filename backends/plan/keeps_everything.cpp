#include "backends/plan/keeps_everything.h"

#include "base/error.h"
#include "workloads/network/kept_bytes.h"

namespace voxmark {
namespace {

class KeepsEverything final : public Backend {
 public:
  std::string_view name() const override { return kKeepsEverything; }
  std::string_view description() const override {
    return "a framework that gives nothing back before the step ends: arithmetic, nothing that "
           "runs";
  }
  bool computes() const override { return false; }
  std::optional<Unsupported> unsupported(const Program&, const CompileOptions&) const override {
    return std::nullopt;
  }

  MemoryPlan plan(const Program& program, const CompileOptions& options) const override {
    MemoryPlan plan;
    for (std::size_t i = 0; i < program.tensors.size(); ++i) {
      const TensorId id = static_cast<TensorId>(i);
      const std::int64_t bytes = keeps_everything_bytes(program, options.precision, id);
      const TensorRole role = program.tensors[i].role;
      plan.bytes[role == TensorRole::gradient ? "activation_gradients" : purpose_of(role)] += bytes;
      plan.buffers.push_back({{id}, bytes});
    }
    return plan;
  }

  std::unique_ptr<Executable> compile(const Program&, const CompileOptions&) const override {
    throw_bad_input("{}: arithmetic of voxmark plan, nothing that runs", kKeepsEverything);
  }
};

}  // namespace

const Backend& keeps_everything_backend() {
  static const KeepsEverything backend;
  return backend;
}

}  // namespace voxmark

#include "backends/null/null.h"

#include <algorithm>

namespace voxmark {
namespace {

class NullExecutable final : public Executable {
 public:
  void set(TensorId, std::span<const double>) override {}
  void read(TensorId, std::span<double> values) const override {
    std::fill(values.begin(), values.end(), 0.0);
  }
  void load(const Batch&) override {}
  const StepResult& run(StageObserver*) override { return result_; }
  void update() override {}
  std::span<const Stage> stages() const override { return {}; }
  const MemoryPlan& plan() const override { return plan_; }

 private:
  MemoryPlan plan_;
  StepResult result_;
};

class NullBackend final : public Backend {
 public:
  std::string_view name() const override { return "null"; }
  std::string_view description() const override {
    return "computes nothing: the harness's own cost";
  }
  bool computes() const override { return false; }
  std::optional<Unsupported> unsupported(const Program&, const CompileOptions&) const override {
    return std::nullopt;
  }
  MemoryPlan plan(const Program&, const CompileOptions&) const override { return {}; }
  std::unique_ptr<Executable> compile(const Program&, const CompileOptions&) const override {
    return std::make_unique<NullExecutable>();
  }
};

}  // namespace

const Backend& null_backend() {
  static const NullBackend backend;
  return backend;
}

}  // namespace voxmark

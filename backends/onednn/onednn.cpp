#include "backends/onednn/onednn.h"

#include "backends/onednn/executable.h"
#include "backends/onednn/kernels/compat.h"
#include "backends/onednn/kernels/pointwise.h"

namespace voxmark {
namespace {

class OnednnBackend final : public Backend {
 public:
  OnednnBackend(std::string_view name, std::string_view description, onednn::Algorithm algorithm)
      : name_(name), description_(description), algorithm_(algorithm) {}

  std::string_view name() const override { return name_; }
  std::string_view description() const override { return description_; }

  std::optional<BackendLibrary> library() const override {
    return BackendLibrary{"oneDNN", onednn::library_version(), onednn::isa_in_use().name,
                          "libdnnl.so"};
  }

  std::optional<Unsupported> unsupported(const Program& program,
                                         const CompileOptions& options) const override {
    switch (options.precision) {
      case Precision::fp32:
        return std::nullopt;
      case Precision::bf16:
        return unsupported_bf16(program);
      case Precision::fp64:
        break;
    }
    return Unsupported{std::string(name_) + " computes in fp32 and bf16, not in " +
                       to_string(options.precision)};
  }

  MemoryPlan plan(const Program& program, const CompileOptions& options) const override {
    return onednn::preview(program, options, settings(options.precision)).plan;
  }

  std::unique_ptr<Executable> compile(const Program& program,
                                      const CompileOptions& options) const override {
    return onednn::compile(program, options, settings(options.precision));
  }

 private:
  onednn::Settings settings(Precision precision) const {
    const onednn::IsaInUse isa = onednn::isa_in_use();
    return {precision == Precision::bf16 ? isa.bf16_block.value_or(0) : isa.block, algorithm_};
  }

  std::optional<Unsupported> unsupported_bf16(const Program& program) const {
    const onednn::IsaInUse isa = onednn::isa_in_use();
    if (!isa.bf16_block) {
      return Unsupported{std::string(name_) +
                         ": bf16 needs AVX-512 BF16 or AMX; the instruction set in use is " +
                         isa.name};
    }
    for (const Op& op : program.ops) {
      const auto* convolution = std::get_if<Convolution>(&op.kind);
      if (convolution != nullptr && onednn::makes_logits(program, *convolution) &&
          !onednn::is_pointwise(program, *convolution)) {
        return Unsupported{
            std::string(name_) +
            ": bf16 takes logits from a 1x1x1 convolution of at most 16 channels only"};
      }
    }
    return std::nullopt;
  }

  std::string_view name_, description_;
  onednn::Algorithm algorithm_;
};

}  // namespace

const Backend& onednn_backend() {
  static const OnednnBackend backend("onednn",
                                     "the fastest step: oneDNN, Winograd's 3x3x3 convolutions "
                                     "where they win, own passes (fp32, bf16)",
                                     onednn::Algorithm::winograd);
  return backend;
}

const Backend& onednn_direct_backend() {
  static const OnednnBackend backend("onednn-direct",
                                     "the same with direct convolutions as in the paper, oneDNN's "
                                     "where it is not slow (fp32, bf16)",
                                     onednn::Algorithm::direct);
  return backend;
}

}  // namespace voxmark

// How oneDNN multiplies matrices in bf16: the library's own choice of AMX or AVX-512.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "backends/onednn/kernels/compat.h"
#include "backends/onednn/onednn.h"
#include "base/error.h"

namespace voxmark {
namespace {

using dnnl::memory;

// Large enough to hide the start of a product on a socket, small enough for ten of them per second
// on two cores.
constexpr memory::dim kExtent = 2048;

// Ones: bf16 1.0 is 0x3f80. Whatever the layout, every element is the same.
memory ones(const memory::desc& desc, const dnnl::engine& engine) {
  memory filled(desc, engine);
  auto* values = static_cast<std::uint16_t*>(filled.get_data_handle());
  std::fill(values, values + desc.get_size() / sizeof(std::uint16_t), std::uint16_t{0x3f80});
  return filled;
}

class Product {
 public:
  Product()
      : desc_(onednn::matmul_desc(
            engine_, {{kExtent, kExtent}, memory::data_type::bf16, memory::format_tag::any})),
        matmul_(desc_),
        arguments_{{DNNL_ARG_SRC, ones(desc_.src_desc(), engine_)},
                   {DNNL_ARG_WEIGHTS, ones(desc_.weights_desc(), engine_)},
                   {DNNL_ARG_DST, ones(desc_.dst_desc(), engine_)}} {}

  std::string implementation() const { return desc_.impl_info_str(); }
  void run() {
    matmul_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::matmul::primitive_desc desc_;
  dnnl::matmul matmul_;
  std::unordered_map<int, memory> arguments_;
};

std::string reason_of(const dnnl::error& error) { return std::string("oneDNN: ") + error.what(); }

}  // namespace

ProductOrReason onednn_bf16_product() {
  // DNNL_VERBOSE would tell of every product on standard output, among the answers, and slow it.
  dnnl_set_verbose(0);
  if (!onednn::multiplies_bf16(onednn::isa_in_use().isa)) {
    return Unsupported{"no bf16 instructions in the ISA that oneDNN uses here"};
  }
  try {
    const auto product = std::make_shared<Product>();
    const auto run = [product] {
      try {
        product->run();
      } catch (const dnnl::error& error) {
        throw Error(ExitCode::cannot_here, reason_of(error));
      }
    };
    return MatrixProduct{run, 2.0 * kExtent * kExtent * kExtent, product->implementation()};
  } catch (const dnnl::error& error) {
    return Unsupported{reason_of(error)};
  }
}

}  // namespace voxmark

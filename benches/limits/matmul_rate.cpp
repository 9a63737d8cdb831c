#include "benches/limits/matmul_rate.h"

#ifdef VOXMARK_WITH_ONEDNN
#include <dnnl.hpp>
#include <vector>
#endif

namespace voxmark {

#ifdef VOXMARK_WITH_ONEDNN
namespace {

using dnnl::memory;

// Large enough to hide the start of a product on a socket, small enough for ten of them per second
// on two cores.
constexpr memory::dim kExtent = 2048;

bool has_bf16_instructions(dnnl::cpu_isa isa) {
  const std::vector<dnnl::cpu_isa> with = {
    dnnl::cpu_isa::avx512_core_bf16,
    dnnl::cpu_isa::avx512_core_amx,
#if DNNL_VERSION_MAJOR >= 3
    dnnl::cpu_isa::avx512_core_fp16,
    dnnl::cpu_isa::avx512_core_amx_fp16,
    dnnl::cpu_isa::avx2_vnni_2,
#endif
  };
  return std::find(with.begin(), with.end(), isa) != with.end();
}

dnnl::matmul::primitive_desc product(const dnnl::engine& engine) {
  const memory::desc any({kExtent, kExtent}, memory::data_type::bf16, memory::format_tag::any);
#if DNNL_VERSION_MAJOR >= 3
  return {engine, any, any, any};
#else
  return {dnnl::matmul::desc(any, any, any), engine};
#endif
}

// Ones: bf16 1.0 is 0x3f80. Whatever the layout, every element is the same.
memory ones(const memory::desc& desc, const dnnl::engine& engine) {
  memory filled(desc, engine);
  auto* values = static_cast<std::uint16_t*>(filled.get_data_handle());
  std::fill(values, values + desc.get_size() / sizeof(std::uint16_t), std::uint16_t{0x3f80});
  return filled;
}

}  // namespace

MatmulRate bf16_matmul_rate(double budget_seconds) {
  // DNNL_VERBOSE would tell of every product on standard output, among the answers, and slow it.
  dnnl_set_verbose(0);
  MatmulRate rate;
  if (!has_bf16_instructions(dnnl::get_effective_cpu_isa())) {
    rate.reason = "no bf16 instructions in the ISA that oneDNN uses here";
    return rate;
  }
  try {
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    dnnl::stream stream(engine);
    const dnnl::matmul::primitive_desc desc = product(engine);
    const dnnl::matmul matmul(desc);
    memory left = ones(desc.src_desc(), engine);
    memory right = ones(desc.weights_desc(), engine);
    memory result = ones(desc.dst_desc(), engine);
    rate.seconds = timed_rounds(budget_seconds, [&] {
      matmul.execute(stream,
                     {{DNNL_ARG_SRC, left}, {DNNL_ARG_WEIGHTS, right}, {DNNL_ARG_DST, result}});
      stream.wait();
    });
    rate.flops = 2.0 * kExtent * kExtent * kExtent;
    rate.implementation = desc.impl_info_str();
  } catch (const dnnl::error& error) {
    rate.reason = std::string("oneDNN: ") + error.what();
  }
  return rate;
}

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
         std::to_string(version->patch);
}
#else
std::string onednn_version() { return ""; }

MatmulRate bf16_matmul_rate(double /*budget_seconds*/) {
  MatmulRate rate;
  rate.reason = "not built: needs oneDNN";
  return rate;
}
#endif

}  // namespace voxmark

// oneDNN 2.6 to 3.x behind one set of functions. Version 3 took away operation descriptors: a
// primitive descriptor is made from its arguments. Nothing else in this backend knows the version.
#pragma once

#include <algorithm>
#include <cstdint>
#include <dnnl.hpp>
#include <iterator>
#include <optional>
#include <string>

namespace voxmark::onednn {

// The instruction set that oneDNN uses: what the machine has and ONEDNN_MAX_CPU_ISA allows.
struct IsaInUse {
  dnnl::cpu_isa isa;
  const char* name;
  std::int64_t block;  // channels per panel that its convolutions want in fp32; 0: none
  // The same in bf16; none: it has no instructions for bf16.
  std::optional<std::int64_t> bf16_block = std::nullopt;
};

inline IsaInUse isa_in_use() {
  constexpr IsaInUse kKnown[] = {
      {dnnl::cpu_isa::sse41, "sse41", 0},
      {dnnl::cpu_isa::avx, "avx", 0},
      {dnnl::cpu_isa::avx2, "avx2", 8},
      {dnnl::cpu_isa::avx2_vnni, "avx2_vnni", 8},
#if DNNL_VERSION_MAJOR >= 3
      {dnnl::cpu_isa::avx2_vnni_2, "avx2_vnni_2", 8},
      {dnnl::cpu_isa::avx512_core_fp16, "avx512_core_fp16", 16, 16},
      {dnnl::cpu_isa::avx512_core_amx_fp16, "avx512_core_amx_fp16", 16, 0},
#endif
      {dnnl::cpu_isa::avx512_core, "avx512_core", 16},
      {dnnl::cpu_isa::avx512_core_vnni, "avx512_core_vnni", 16},
      {dnnl::cpu_isa::avx512_core_bf16, "avx512_core_bf16", 16, 16},
      {dnnl::cpu_isa::avx512_core_amx, "avx512_core_amx", 16, 0},  // AMX takes ndhwc only
  };
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  for (const IsaInUse& known : kKnown) {
    if (known.isa == isa) {
      return known;
    }
  }
  return {isa, "unknown", 16, 0};  // newer than this list: whatever comes after AVX-512
}

// Of the library that is loaded: "2.6.3".
inline std::string library_version() {
  const dnnl_version_t& version = *dnnl_version();
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.patch);
}

// Whether matrices of bf16 are multiplied by instructions for it: AVX2's, too, which do not serve
// convolutions in blocks.
inline bool multiplies_bf16(dnnl::cpu_isa isa) {
  constexpr dnnl::cpu_isa kWith[] = {
      dnnl::cpu_isa::avx512_core_bf16, dnnl::cpu_isa::avx512_core_amx,
#if DNNL_VERSION_MAJOR >= 3
      dnnl::cpu_isa::avx512_core_fp16, dnnl::cpu_isa::avx512_core_amx_fp16,
      dnnl::cpu_isa::avx2_vnni_2,
#endif
  };
  return std::find(std::begin(kWith), std::end(kWith), isa) != std::end(kWith);
}

// Of matrices that are all alike.
inline dnnl::matmul::primitive_desc matmul_desc(const dnnl::engine& engine,
                                                const dnnl::memory::desc& matrix) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, matrix, matrix, matrix};
#else
  return {dnnl::matmul::desc(matrix, matrix, matrix), engine};
#endif
}

// oneDNN 3.2's bf16 weight gradients of images up to two voxels wide are wrong: other values
// than 2.6, and other ones again when the scratchpad held something before (seen at 2x2x2, 256
// channels, AVX-512 BF16; images of three voxels and more are right).
constexpr bool kNarrowBf16WeightsAreWrong = DNNL_VERSION_MAJOR >= 3;
constexpr std::int64_t kNarrowImage = 2;

// A convolution with bias, stride 1 and the same padding on both sides of each axis.
struct ConvolutionDescs {
  dnnl::memory::desc source, weights, bias, destination;
  dnnl::memory::dims padding;
};

inline dnnl::memory::data_type data_type_of(const dnnl::memory::desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_data_type();
#else
  return desc.data_type();
#endif
}

// Products and sums in fp32, whatever ONEDNN_DEFAULT_FPMATH_MODE says; scratchpads are the
// caller's.
inline dnnl::primitive_attr strict_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_fpmath_mode(dnnl::fpmath_mode::strict);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

inline const dnnl::memory::dims& unit_strides() {
  static const dnnl::memory::dims strides = {1, 1, 1};
  return strides;
}

inline dnnl::convolution_forward::primitive_desc forward_desc(const dnnl::engine& engine,
                                                              const ConvolutionDescs& d) {
  constexpr auto kKind = dnnl::prop_kind::forward_training;
  constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {engine,        kKind,          kAlgorithm, d.source,  d.weights,          d.bias,
          d.destination, unit_strides(), d.padding,  d.padding, strict_attributes()};
#else
  return {{kKind, kAlgorithm, d.source, d.weights, d.bias, d.destination, unit_strides(), d.padding,
           d.padding},
          strict_attributes(),
          engine};
#endif
}

inline dnnl::convolution_backward_data::primitive_desc backward_data_desc(
    const dnnl::engine& engine, const ConvolutionDescs& d) {
  constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {engine,
          kAlgorithm,
          d.source,
          d.weights,
          d.destination,
          unit_strides(),
          d.padding,
          d.padding,
          forward_desc(engine, d),
          strict_attributes()};
#else
  return {{kAlgorithm, d.source, d.weights, d.destination, unit_strides(), d.padding, d.padding},
          strict_attributes(),
          engine,
          forward_desc(engine, d)};
#endif
}

// `hint` may have another layout of the weights than `d`.
inline dnnl::convolution_backward_weights::primitive_desc backward_weights_desc(
    const dnnl::engine& engine, const ConvolutionDescs& d,
    const dnnl::convolution_forward::primitive_desc& hint) {
  constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {engine,    kAlgorithm,    d.source,           d.weights,
          d.bias,    d.destination, unit_strides(),     d.padding,
          d.padding, hint,          strict_attributes()};
#else
  return {{kAlgorithm, d.source, d.weights, d.bias, d.destination, unit_strides(), d.padding,
           d.padding},
          strict_attributes(),
          engine,
          hint};
#endif
}

}  // namespace voxmark::onednn

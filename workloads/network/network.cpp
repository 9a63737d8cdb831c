#include "workloads/network/network.h"

#include <cassert>
#include <utility>

#include "base/error.h"

namespace voxmark {

NetworkBuilder::NetworkBuilder(std::string name, std::int64_t input_channels) {
  network_.name = std::move(name);
  add({LayerKind::input, "input", {}, input_channels, 1});
}

int NetworkBuilder::add(Layer layer) {
  network_.layers.push_back(std::move(layer));
  return static_cast<int>(network_.layers.size()) - 1;
}

std::int64_t NetworkBuilder::channels(int layer) const {
  return network_.layers.at(static_cast<std::size_t>(layer)).channels;
}

int NetworkBuilder::convolution(std::string layer_name, int from, std::int64_t channels,
                                std::int64_t extent) {
  assert(extent % 2 == 1);
  return add({LayerKind::convolution, std::move(layer_name), {from}, channels, extent});
}

int NetworkBuilder::batch_norm_relu(std::string layer_name, int from) {
  return add({LayerKind::batch_norm_relu, std::move(layer_name), {from}, channels(from), 1});
}

int NetworkBuilder::max_pool(std::string layer_name, int from) {
  return add({LayerKind::max_pool, std::move(layer_name), {from}, channels(from), 2});
}

int NetworkBuilder::transposed_convolution(std::string layer_name, int from,
                                           std::int64_t channels) {
  return add({LayerKind::transposed_convolution, std::move(layer_name), {from}, channels, 2});
}

int NetworkBuilder::concat(std::string layer_name, int first, int second) {
  return add({LayerKind::concat,
              std::move(layer_name),
              {first, second},
              channels(first) + channels(second),
              1});
}

int NetworkBuilder::sigmoid(std::string layer_name, int from) {
  return add({LayerKind::sigmoid, std::move(layer_name), {from}, channels(from), 1});
}

int NetworkBuilder::softmax(std::string layer_name, int from) {
  return add({LayerKind::softmax, std::move(layer_name), {from}, channels(from), 1});
}

Network NetworkBuilder::build() && { return std::move(network_); }

std::int64_t output_channels(const UnetOptions& options) {
  return options.classes == 1 ? 1 : options.classes + 1;
}

namespace {

constexpr std::int64_t kMaxUnetOption = 1024;

void check_option(const char* name, std::int64_t value) {
  if (value < 1 || value > kMaxUnetOption) {
    throw_bad_input("{} = {}, expected 1 to {}", name, value, kMaxUnetOption);
  }
}

}  // namespace

Network unet3d(const UnetOptions& options) {
  check_option("filters", options.filters);
  check_option("channels", options.input_channels);
  check_option("classes", options.classes);

  NetworkBuilder net("unet3d", options.input_channels);
  const auto block = [&net](int from, const std::string& name, std::int64_t channels) {
    for (const char* i : {"0", "1"}) {
      from = net.convolution(name + "_conv" + i, from, channels, 3);
      from = net.batch_norm_relu(name + "_bn" + i, from);
    }
    return from;
  };

  const std::int64_t f = options.filters;
  const int encode_a = block(net.input(), "encodeA", f);
  const int encode_b = block(net.max_pool("poolA", encode_a), "encodeB", 2 * f);
  const int encode_c = block(net.max_pool("poolB", encode_b), "encodeC", 4 * f);
  const int encode_d = block(net.max_pool("poolC", encode_c), "encodeD", 8 * f);
  const int encode_e = block(net.max_pool("poolD", encode_d), "encodeE", 16 * f);

  const auto up = [&](int from, int skip, const std::string& level, const std::string& name,
                      std::int64_t channels) {
    const int upsampled = net.transposed_convolution("transconv" + level, from, channels);
    return block(net.concat("concat" + level, upsampled, skip), name, channels);
  };
  const int decode_c = up(encode_e, encode_d, "E", "decodeC", 8 * f);
  const int decode_b = up(decode_c, encode_c, "C", "decodeB", 4 * f);
  const int decode_a = up(decode_b, encode_b, "B", "decodeA", 2 * f);
  const int conv_out = up(decode_a, encode_a, "A", "convOut", f);

  const int logits = net.convolution("PredictionMask", conv_out, output_channels(options), 1);
  if (options.classes == 1) {
    net.sigmoid("prediction", logits);
  } else {
    net.softmax("prediction", logits);
  }
  return std::move(net).build();
}

}  // namespace voxmark

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
  if (options.levels < 2 || options.levels > kUnetLevels) {
    throw_bad_input("levels = {}, expected 2 to {}", options.levels, kUnetLevels);
  }

  NetworkBuilder net("unet3d", options.input_channels);
  const auto block = [&net](int from, const std::string& name, std::int64_t channels) {
    for (const char* i : {"0", "1"}) {
      from = net.convolution(name + "_conv" + i, from, channels, 3);
      from = net.batch_norm_relu(name + "_bn" + i, from);
    }
    return from;
  };

  const auto levels = static_cast<std::size_t>(options.levels);
  const auto letter = [](std::size_t level) { return std::string(1, "ABCDE"[level]); };
  const auto filters = [&](std::size_t level) { return options.filters << level; };
  std::vector<int> skips;
  int last = block(net.input(), "encodeA", filters(0));
  for (std::size_t level = 1; level < levels; ++level) {
    skips.push_back(last);
    last = net.max_pool("pool" + letter(level - 1), last);
    last = block(last, "encode" + letter(level), filters(level));
  }
  // The paper's code names a way up by where it comes from: "E" from the coarsest level to what it
  // calls "decodeC", one level up; "C" from there to "decodeB"; "A" to "convOut".
  std::string from = letter(levels - 1);
  for (std::size_t level = levels - 1; level-- > 0;) {
    const std::string to = level == 0 ? "" : letter(level - 1);
    const int upsampled = net.transposed_convolution("transconv" + from, last, filters(level));
    last = net.concat("concat" + from, upsampled, skips[level]);
    last = block(last, to.empty() ? "convOut" : "decode" + to, filters(level));
    from = to;
  }

  const int logits = net.convolution("PredictionMask", last, output_channels(options), 1);
  if (options.classes == 1) {
    net.sigmoid("prediction", logits);
  } else {
    net.softmax("prediction", logits);
  }
  return std::move(net).build();
}

}  // namespace voxmark

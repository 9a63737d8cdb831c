#include "workloads/testing/memory_counts.h"

#include <cstdint>
#include <utility>

namespace voxmark {
namespace {

constexpr double kFloatBytes = 4;

}  // namespace

double counted_bytes_per_voxel(const Network& network, const TensorCount& count) {
  std::vector<double> voxels;  // of each layer's output, per voxel of the image
  double channels = 0;
  for (const Layer& layer : network.layers) {
    const double before =
        layer.inputs.empty() ? 1 : voxels[static_cast<std::size_t>(layer.inputs.front())];
    voxels.push_back(before);
    double outputs = 1;
    switch (layer.kind) {
      case LayerKind::input:
      case LayerKind::convolution:
      case LayerKind::sigmoid:
      case LayerKind::softmax:
        break;
      case LayerKind::batch_norm_relu:
        outputs = (count.batch_norms ? 1 : 0) + (count.relus ? 1 : 0);
        break;
      case LayerKind::max_pool:
        voxels.back() = before / 8;
        outputs = count.pools ? 1 : 0;
        break;
      case LayerKind::transposed_convolution:
        voxels.back() = before * 8;
        outputs = count.upsampled ? 1 : 0;
        break;
      case LayerKind::concat:
        outputs = count.concatenations ? 1 : 0;
        break;
    }
    channels += outputs * voxels.back() * static_cast<double>(layer.channels);
  }
  return kFloatBytes * channels * count.times;
}

Network cicek_unet3d() {
  constexpr int kLevels = 4;
  NetworkBuilder net("cicek_unet3d", 1);
  const auto convolution = [&net](int from, const std::string& name, std::int64_t channels) {
    return net.batch_norm_relu(name + "_bn", net.convolution(name + "_conv", from, channels, 3));
  };
  std::vector<int> skips;
  int last = net.input();
  for (int level = 0; level < kLevels; ++level) {
    const std::string name = "encode" + std::to_string(level);
    const std::int64_t channels = std::int64_t{32} << level;
    last = convolution(last, name + "_0", channels);
    last = convolution(last, name + "_1", 2 * channels);
    if (level < kLevels - 1) {
      skips.push_back(last);
      last = net.max_pool("pool" + std::to_string(level), last);
    }
  }
  for (int level = kLevels - 1; level-- > 0;) {
    const std::string name = "decode" + std::to_string(level);
    const std::int64_t channels = std::int64_t{64} << level;
    last = net.transposed_convolution("up" + std::to_string(level), last, 2 * channels);
    last =
        net.concat("concat" + std::to_string(level), last, skips[static_cast<std::size_t>(level)]);
    last = convolution(last, name + "_0", channels);
    last = convolution(last, name + "_1", channels);
  }
  net.sigmoid("prediction", net.convolution("mask", last, 1, 1));
  return std::move(net).build();
}

std::vector<MemoryCount> memory_counts() {
  const auto filters = [](std::int64_t count) { return unet3d({count, 1, 1}); };
  const auto times = [](int count) {
    TensorCount all;
    all.times = count;
    return all;
  };
  TensorCount no_copies = times(2);
  no_copies.upsampled = no_copies.concatenations = false;
  return {
      {"the code's network, every output", counted_bytes_per_voxel(filters(16), times(1))},
      {"and a gradient of each", counted_bytes_per_voxel(filters(16), times(2))},
      {"the same with 32 filters", counted_bytes_per_voxel(filters(32), times(2))},
      {"and a copy of every output beside its gradient",
       counted_bytes_per_voxel(filters(32), times(3))},
      {"the network of Cicek et al., outputs of convolutions, batch norms, ReLUs and pools, and a "
       "gradient of each",
       counted_bytes_per_voxel(cicek_unet3d(), no_copies)},
  };
}

}  // namespace voxmark

// A network as a list of layers: what is trained, before any shape or arithmetic is chosen.
// Knows nothing of batches, training, or how anything is computed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace voxmark {

enum class LayerKind {
  input,
  convolution,             // Conv3D, odd cubic extent, 'same' padding, with bias
  batch_norm_relu,         // BatchNorm over (N, D, H, W), then ReLU
  max_pool,                // 2x2x2, stride 2
  transposed_convolution,  // 2x2x2, stride 2, with bias
  concat,                  // along channels, two inputs
  sigmoid,
  softmax,  // over channels
};

struct Layer {
  LayerKind kind = LayerKind::input;
  std::string name;           // as in Keras; prefixes the layer's parameters
  std::vector<int> inputs;    // indices of earlier layers
  std::int64_t channels = 0;  // of the output
  std::int64_t extent = 1;    // of the kernel along each axis
};

struct Network {
  std::string name;
  std::vector<Layer> layers;  // in order of evaluation; the last one is the prediction
};

// Of the white paper's network: the full resolution and four halves of it.
constexpr std::int64_t kUnetLevels = 5;

// The 3D U-Net of the white paper (IntelAI/unet, 3D model).
struct UnetOptions {
  std::int64_t filters = 16;
  std::int64_t input_channels = 1;
  // Labels besides background. 1: one sigmoid channel ("whole tumour").
  // K > 1: K + 1 softmax channels, background included.
  std::int64_t classes = 1;
  // 2 to kUnetLevels. With fewer, the coarsest are left out: "encodeC" is the last of three.
  std::int64_t levels = kUnetLevels;
};

// Channels that the network predicts: 1, or classes + 1.
std::int64_t output_channels(const UnetOptions& options);

// Throws Error (bad_input) when an option is below 1 or above 1024, or levels are not 2 to 5.
Network unet3d(const UnetOptions& options);

// Poolings between the finest and the coarsest level: image dims must be multiples of 2^4, with
// fewer levels too.
constexpr int kUnetPoolings = kUnetLevels - 1;
constexpr std::int64_t kUnetDimsMultiple = 1 << kUnetPoolings;

// Builds networks layer by layer; used by unet3d() and by tests that want smaller ones.
class NetworkBuilder {
 public:
  NetworkBuilder(std::string name, std::int64_t input_channels);

  // Each returns the index of the new layer; `from` is the index of its input.
  int convolution(std::string layer_name, int from, std::int64_t channels, std::int64_t extent);
  int batch_norm_relu(std::string layer_name, int from);
  int max_pool(std::string layer_name, int from);
  int transposed_convolution(std::string layer_name, int from, std::int64_t channels);
  int concat(std::string layer_name, int first, int second);
  int sigmoid(std::string layer_name, int from);
  int softmax(std::string layer_name, int from);

  int input() const { return 0; }
  Network build() &&;

 private:
  int add(Layer layer);
  std::int64_t channels(int layer) const;
  Network network_;
};

}  // namespace voxmark

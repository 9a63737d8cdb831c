// Ways to count the memory of a network's activations. The white paper calculates just under 1 TB
// for its step (7.5 kB per voxel); which tensors it counts is in no text of it that we could find.
#pragma once

#include <string>
#include <vector>

#include "workloads/network/network.h"

namespace voxmark {

// Which tensors are counted, each as float32.
struct TensorCount {
  bool batch_norms = true, relus = true, pools = true, upsampled = true, concatenations = true;
  // How often each: 1 is the forward pass alone, 2 has a gradient of each.
  int times = 2;
};
// Bytes per voxel of the image at full resolution: of activations alone, which are all but nothing
// beside parameters at the paper's size. Outputs of convolutions are always counted.
double counted_bytes_per_voxel(const Network& network, const TensorCount& count);

// Some ways, from the plainest to those that come near the paper's figure.
struct MemoryCount {
  std::string what;
  double bytes_per_voxel = 0;
};
std::vector<MemoryCount> memory_counts();

// Cicek et al., "3D U-Net" (2016), the network that the paper's is made after: 32 to 512 channels
// on four levels, twice as many after the second convolution of a level of the encoder.
Network cicek_unet3d();

}  // namespace voxmark

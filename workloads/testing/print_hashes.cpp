// The SHA-256 of all that a run starts from: a drawn batch, a phantom and the initial weights. For
// ci/same_bits, which compiles it and what it draws with by several compilers.
#include <omp.h>

#include <cstdio>
#include <span>
#include <string>

#include "base/sha256.h"
#include "workloads/data_sets/phantom.h"
#include "workloads/network/batch.h"
#include "workloads/network/network.h"
#include "workloads/network/program.h"
#include "workloads/network/synthetic.h"
#include "workloads/network/weights.h"

namespace voxmark {
namespace {

void print(const char* what, const std::string& hash) {
  std::printf("%s %s\n", what, hash.c_str());
}

int main() {
  constexpr Dims kDims{16, 32, 48};
  UnetOptions network;
  network.filters = 4;
  network.input_channels = 4;
  network.classes = 3;
  const Program program = lower(unet3d(network), 2, kDims, Mode::training);
  print("batch", sha256_hex(synthetic_batch(2, kDims, 4, 3, 1, 7)));
  print("weights", sha256_hex(program, initial_weights(program, 1)));
  const Subject subject = phantom_subject({1, 4, {24, 20, 16}}, 0);
  print("phantom image", sha256_hex(std::as_bytes(std::span(subject.image))));
  print("phantom labels", sha256_hex(std::as_bytes(std::span(subject.labels))));
  std::fprintf(stderr, "%d threads\n", omp_get_max_threads());
  return 0;
}

}  // namespace
}  // namespace voxmark

int main() { return voxmark::main(); }

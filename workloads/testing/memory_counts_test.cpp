#include "workloads/testing/memory_counts.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "workloads/network/kept_bytes.h"
#include "workloads/network/program.h"
#include "workloads/network/structure.h"

namespace voxmark {
namespace {

constexpr double kPaperVoxels = 16.0 * 240 * 240 * 144;

TEST(MemoryCounts, OfASmallNetworkAreThoseCountedByHand) {
  NetworkBuilder net("tiny", 1);
  const int first = net.batch_norm_relu("b", net.convolution("c", net.input(), 2, 3));
  const int up = net.transposed_convolution("up", net.max_pool("pool", first), 3);
  net.sigmoid("p", net.convolution("mask", net.concat("cat", up, first), 1, 1));
  const Network network = std::move(net).build();
  // Input 1, convolution 2, batch norm 2, ReLU 2, pool 2 / 8, up 3, concatenation 5, mask 1,
  // prediction 1.
  EXPECT_DOUBLE_EQ(counted_bytes_per_voxel(network, {}), 2 * 4 * 17.25);
  TensorCount count;
  count.times = 1;
  EXPECT_DOUBLE_EQ(counted_bytes_per_voxel(network, count), 4 * 17.25);
  count.batch_norms = count.pools = false;
  EXPECT_DOUBLE_EQ(counted_bytes_per_voxel(network, count), 4 * 15);
  count.relus = count.upsampled = count.concatenations = false;
  EXPECT_DOUBLE_EQ(counted_bytes_per_voxel(network, count), 4 * 5);
}

TEST(MemoryCounts, ComeNearTheTerabyteOnlyWithMoreThanTheCodesNetworkAndItsGradients) {
  const std::vector<MemoryCount> counts = memory_counts();
  ASSERT_EQ(counts.size(), 5U);
  EXPECT_NEAR(counts[0].bytes_per_voxel, 1299.125, 1e-9);
  EXPECT_NEAR(counts[1].bytes_per_voxel, 2598.25, 1e-9);
  EXPECT_NEAR(counts[2].bytes_per_voxel, 5172.5, 1e-9);
  EXPECT_NEAR(counts[3].bytes_per_voxel, 7758.75, 1e-9);
  EXPECT_NEAR(counts[4].bytes_per_voxel, 7200, 1e-9);
  constexpr double kTerabyte = 1e12;
  EXPECT_LT(counts[2].bytes_per_voxel * kPaperVoxels, 0.7 * kTerabyte);
  for (const std::size_t near : {std::size_t{3}, std::size_t{4}}) {
    EXPECT_NEAR(counts[near].bytes_per_voxel * kPaperVoxels, kTerabyte, 0.05 * kTerabyte);
  }
}

// The table of docs/memory-and-time.md, below this heading: its second and third column.
std::vector<std::string> documented_figures() {
  std::ifstream document(VOXMARK_SOURCE_DIR "/docs/memory-and-time.md");
  std::vector<std::string> figures;
  bool is_below = false;
  for (std::string line; std::getline(document, line);) {
    if (line.starts_with("## ")) {
      is_below = line == "## The white paper's terabyte";
    }
    const std::size_t end = line.find("| ", 1);
    if (is_below && line.starts_with("| ") && line.find("counted") == std::string::npos) {
      figures.push_back(line.substr(end));
    }
  }
  return figures;
}

std::string with_thousands(double value) {
  std::string digits = std::to_string(std::llround(value));
  for (std::size_t end = digits.size(); end > 3; end -= 3) {
    digits.insert(end - 3, ",");
  }
  return digits;
}

TEST(MemoryCounts, AreThoseOfTheDocument) {
  std::vector<double> expected;
  for (const MemoryCount& count : memory_counts()) {
    expected.push_back(count.bytes_per_voxel);
  }
  expected.insert(expected.begin() + 2, keeps_everything_bytes_per_voxel({}, Precision::fp32));
  const std::vector<std::string> figures = documented_figures();
  ASSERT_EQ(figures.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string columns = fmt::format("| {} | {} GB", with_thousands(expected[i]),
                                            with_thousands(expected[i] * kPaperVoxels / 1e9));
    EXPECT_TRUE(figures[i].starts_with(columns)) << figures[i] << ", expected " << columns;
  }
}

TEST(MemoryCounts, TheNetworkOfCicekEtAlHasTheirNumberOfParameters) {
  // 19,069,955 with three input channels and three classes, here one of each; counted without batch
  // norms and without the biases of transposed convolutions.
  const Program program = lower(cicek_unet3d(), 1, {16, 16, 16}, Mode::training);
  std::int64_t counted = (3 - 1) * 27 * 32 + (3 - 1) * (64 + 1);
  for (const ConvolutionPlace& place : convolution_places(program)) {
    counted += elements(program.tensor(place.kernel).shape);
    counted += place.is_transposed ? 0 : elements(program.tensor(place.bias).shape);
  }
  EXPECT_EQ(counted, 19'069'955);
}

}  // namespace
}  // namespace voxmark

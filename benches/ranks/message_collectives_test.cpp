// Messages over an MPI that a test makes up: of two ranks, of whom the other one never answers, or
// has the same values.
#include "benches/ranks/message_collectives.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <numeric>
#include <span>
#include <thread>
#include <vector>

namespace voxmark {
namespace {

std::atomic<int> begun, asked;

VoxmarkMpi silent_mpi() {
  VoxmarkMpi mpi{};
  mpi.scatter = [](int, const void*, const int*, const int*, void*) { ++begun; };
  mpi.collect = [](int, void*, const int*, const int*) { ++begun; };
  mpi.done = [](int) {
    ++asked;
    return 0;
  };
  return mpi;
}

TEST(MessageCollectives, TouchNothingThatIsAbandoned) {
  begun = asked = 0;
  const VoxmarkMpi mpi = silent_mpi();
  MessageCollectives collectives(mpi, 0, 2);
  auto first = std::make_unique<std::array<float, 1000>>();
  auto second = std::make_unique<std::array<float, 1000>>();
  first->fill(1);
  collectives.begin_sum(std::span<float>(*first));
  collectives.begin_sum(std::span<float>(*second));
  while (asked == 0) {  // the first one is under way
    std::this_thread::yield();
  }
  collectives.abandon();
  first.reset();
  second.reset();
  const int before = asked;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // some of the longest pauses
  EXPECT_EQ(asked, before) << "its thread goes on";
  EXPECT_EQ(begun, 1);
}

std::array<std::atomic<int>, VOXMARK_MPI_CHANNELS> underway;
std::atomic<int> pieces, largest_share, most_underway;

void starts(int channel) {
  underway.at(static_cast<std::size_t>(channel)) = 3;  // questions, until it is done
  int now = 0;
  for (const std::atomic<int>& asked_still : underway) {
    now += asked_still > 0 ? 1 : 0;
  }
  most_underway = std::max(most_underway.load(), now);
}

// This is rank 0 of two.
VoxmarkMpi mirror() {
  VoxmarkMpi mpi{};
  mpi.scatter = [](int channel, const void* values, const int* bytes, const int* offsets,
                   void* received) {
    ++pieces;
    largest_share = std::max({largest_share.load(), bytes[0], bytes[1]});
    std::memcpy(static_cast<std::byte*>(received) + bytes[0],
                static_cast<const std::byte*>(values) + offsets[0],
                static_cast<std::size_t>(bytes[0]));
    starts(channel);
  };
  mpi.collect = [](int channel, void* values, const int* bytes, const int* offsets) {
    const auto count = static_cast<std::size_t>(bytes[1]) / sizeof(float);
    std::vector<float> sums(count);  // of what is the other rank's to sum
    std::byte* part = static_cast<std::byte*>(values) + offsets[1];
    std::memcpy(sums.data(), part, count * sizeof(float));
    for (float& sum : sums) {
      sum *= 2;
    }
    std::memcpy(part, sums.data(), count * sizeof(float));
    starts(channel);
  };
  mpi.done = [](int channel) {
    return --underway.at(static_cast<std::size_t>(channel)) <= 0 ? 1 : 0;
  };
  return mpi;
}

TEST(MessageCollectives, SumLargeMessagesPieceByPiece) {
  pieces = largest_share = most_underway = 0;
  const VoxmarkMpi mpi = mirror();
  MessageCollectives collectives(mpi, 0, 2);
  std::vector<std::vector<float>> messages;
  for (const std::size_t count : std::initializer_list<std::size_t>{100'003, 1, 30'720, 30'721}) {
    std::vector<float>& values = messages.emplace_back(count);
    std::iota(values.begin(), values.end(), 1.0F);
  }
  for (int step = 0; step < 2; ++step) {
    const std::vector<std::vector<float>> before = messages;
    for (std::vector<float>& values : messages) {
      collectives.begin_sum(std::span<float>(values));
    }
    collectives.wait();
    for (std::size_t m = 0; m < messages.size(); ++m) {
      for (std::size_t i = 0; i < messages[m].size(); ++i) {
        ASSERT_EQ(messages[m][i], 2 * before[m][i]) << "message " << m << " value " << i;
      }
    }
  }
  // 30,720 floats are 120 KiB, as much as two shares of one piece.
  EXPECT_EQ(pieces, 2 * (4 + 1 + 1 + 2));
  EXPECT_LE(largest_share, 60 << 10U);
  EXPECT_EQ(most_underway, 2) << "sums go back while the next shares go out";
  EXPECT_EQ(collectives.times().messages.size(), 2 * messages.size());
}

}  // namespace
}  // namespace voxmark

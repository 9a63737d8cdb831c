// Messages over an MPI that a test makes up: of two ranks, of whom the other one never answers.
#include "benches/ranks/message_collectives.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
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

}  // namespace
}  // namespace voxmark

// What the ranks of one training step tell each other: how R processes with b images each compute
// the step of one process with R * b images. Declared here, implemented where it is measured.
//
// Every rank makes the same calls in the same order. Sums are added in the order of ranks, so the
// same number of ranks gives the same bits on all of them.
#pragma once

#include <cstddef>
#include <span>

namespace voxmark {

// What waiting for the others is booked on.
enum class ExchangeKind {
  statistics,  // of batch norms, and the sums that their gradients need
  loss,
  gradients,  // of parameters
};

class Collectives {
 public:
  virtual ~Collectives() = default;
  virtual int rank() const = 0;   // from 0
  virtual int ranks() const = 0;  // at least 1

  // all: ranks() times `own`, in the order of ranks. Returns when it is there.
  virtual void gather(ExchangeKind kind, std::span<const double> own, std::span<double> all) = 0;

  // Rank 0's values to all others, which have as many. Returns when they are there; beside steps.
  virtual void broadcast(std::span<std::byte> values) = 0;

  // values[i] becomes the sum of all ranks' values[i]. Returns at once: until wait() nobody touches
  // the values. What is begun first is summed first.
  virtual void begin_sum(std::span<float> values) = 0;
  virtual void begin_sum(std::span<double> values) = 0;
  // Until everything that was begun is summed.
  virtual void wait() = 0;
  // Before memory goes that was begun and not waited for: nobody touches it from now on, and
  // nothing is summed any more. Waits for no other rank.
  virtual void abandon() {}
};

}  // namespace voxmark

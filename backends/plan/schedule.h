// The order in which a program's ops run, and when each tensor is alive.
// A pure function between Program and memory plan, used by every backend.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "workloads/network/program.h"

namespace voxmark {

struct ScheduledOp {
  OpId op = 0;
  bool recomputed = false;  // runs a second time, to bring back a tensor that was dropped
};

using Schedule = std::vector<ScheduledOp>;

// Every op once, in the program's order: every tensor the backward pass needs is kept.
Schedule schedule_in_order(const Program& program);

// These tensors leave memory after op `after`.
struct Drop {
  OpId after = 0;
  std::vector<TensorId> tensors;  // activations
};

// The program's order with tensors dropped on the way: whatever a later op reads of them is
// computed again just before it, by the op that made it, and so on for what that one reads.
// Statistics are no activations: they stay, so that what is computed again has the same bits.
Schedule schedule_with_drops(const Program& program, std::span<const Drop> drops);

// One stay of a tensor in memory, in steps of the schedule, both ends inclusive. A tensor that is
// dropped and recomputed has several.
struct Lifetime {
  TensorId tensor = kNoTensor;
  int first_step = 0;
  int last_step = 0;
};

// Lifetimes of activations and gradients of activations. `readable` tensors live to the last step.
// Persistent tensors, parameter gradients, reductions, input and target are not in the result: they
// stay allocated throughout.
std::vector<Lifetime> lifetimes(const Program& program, const Schedule& schedule,
                                std::span<const TensorId> readable);

}  // namespace voxmark

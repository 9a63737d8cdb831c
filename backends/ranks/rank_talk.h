// What ranks tell each other beside their steps: flags, numbers, texts, and that one of them cannot
// go on. Over the collectives of the steps.
//
// A process that is alone has no collectives: for it, `ranks` is null, and all of these are
// trivial.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "backends/collectives.h"
#include "base/error.h"

namespace voxmark {

// Thrown by all ranks alike: nobody waits for anybody.
struct AgreedError : Error {
  using Error::Error;
};

bool is_first(const Collectives* ranks);
int rank_of(const Collectives* ranks);

// ---- All of these are called by all ranks.

// Of each rank; their numbers may differ.
std::vector<std::vector<double>> values_of_each(Collectives* ranks, std::span<const double> own);
std::vector<std::string> texts_of_each(Collectives* ranks, const std::string& own);

bool any_rank(Collectives* ranks, bool own);
double least_of_ranks(Collectives* ranks, double own);
double most_of_ranks(Collectives* ranks, double own);

std::string text_of_first(Collectives* ranks, std::string text);
void values_of_first(Collectives* ranks, std::span<double> values);  // as many everywhere

// Throws AgreedError (bad_input) naming the first rank whose text is another than rank 0's.
void expect_equal(Collectives* ranks, const std::string& what, const std::string& own);

// Runs `action`, in which ranks do not meet. Where it throws on some of them, all throw
// AgreedError: what the first of these said, with its name unless it is rank 0.
void together(Collectives* ranks, const std::function<void()>& action);

}  // namespace voxmark

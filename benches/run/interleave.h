// The order in which processes are started, so that a drift of the machine meets all cases alike.
// Pure.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "results/record.h"
#include "workloads/cases/case_spec.h"

namespace voxmark {

// Fisher and Yates with std::mt19937_64's own numbers: the same everywhere, unlike std::shuffle.
template <class Value>
void shuffle(std::vector<Value>& values, std::mt19937_64& random) {
  for (std::size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1], values[random() % i]);
  }
}

// Process by process: the first of every case in an order drawn from `seed`, the second of every
// case in the reverse of it (ABBA: a linear drift cancels), the third in a new order, and so on. In
// process 0 external programs come last: what others wrote is compared with what is ours, so that
// has to be there.
std::vector<CaseSpec> interleave(const std::vector<CaseSpec>& cases, std::uint64_t seed);

// Of two builds that measure a process each: whether the first one begins. Drawn from `seed` for
// processes 2k of a case, and the other way round for 2k + 1. A function of the case alone, so that
// each case is balanced by itself, in a resumed run too.
bool first_build_comes_first(const CaseSpec& spec, std::uint64_t seed);

// As the cases were listed, whatever the order in which they ran.
std::vector<Record> in_listed_order(std::vector<Record> records,
                                    const std::vector<CaseSpec>& cases);

}  // namespace voxmark

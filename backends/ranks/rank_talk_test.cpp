#include "backends/ranks/rank_talk.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <mutex>

#include "backends/ranks/ranks_in_threads.h"

namespace voxmark {
namespace {

// What each of three ranks found, by rank.
std::vector<std::string> each_of_three(const std::function<std::string(Collectives&)>& find) {
  std::vector<std::string> found(3);
  std::mutex mutex;
  run_ranks(3, [&](Collectives& ranks) {
    std::string own = find(ranks);
    const std::lock_guard lock(mutex);
    found[static_cast<std::size_t>(ranks.rank())] = std::move(own);
  });
  return found;
}

TEST(RankTalk, TextsAndValuesOfUnequalLengthsComeBack) {
  const auto found = each_of_three([](Collectives& ranks) {
    const std::vector<double> values(static_cast<std::size_t>(ranks.rank()), 0.5);
    const std::vector<std::vector<double>> each = values_of_each(&ranks, values);
    EXPECT_EQ(each, (std::vector<std::vector<double>>{{}, {0.5}, {0.5, 0.5}}));
    std::string all;
    for (const std::string& text :
         texts_of_each(&ranks, std::string(static_cast<std::size_t>(ranks.rank()) * 9, 'x'))) {
      all += text + ".";
    }
    return all;
  });
  EXPECT_EQ(found, std::vector<std::string>(
                       3, "." + std::string(9, 'x') + "." + std::string(18, 'x') + "."));
}

TEST(RankTalk, RankZeroSaysWhatAllHave) {
  const auto found = each_of_three([](Collectives& ranks) {
    std::array<double, 2> values = {ranks.rank() + 1.0, -0.0};
    values_of_first(&ranks, values);
    EXPECT_EQ(values[0], 1);
    EXPECT_TRUE(std::signbit(values[1]));
    EXPECT_EQ(most_of_ranks(&ranks, ranks.rank()), 2);
    EXPECT_EQ(least_of_ranks(&ranks, ranks.rank()), 0);
    EXPECT_TRUE(any_rank(&ranks, ranks.rank() == 2));
    EXPECT_FALSE(any_rank(&ranks, false));
    return text_of_first(&ranks, ranks.rank() == 0 ? "of rank 0" : "another, and longer");
  });
  EXPECT_EQ(found, std::vector<std::string>(3, "of rank 0"));
}

TEST(RankTalk, WhatFailsOnOneRankIsThrownByAll) {
  const auto refusal_of = [](int bad) {
    return each_of_three([bad](Collectives& ranks) -> std::string {
      try {
        together(&ranks, [&] {
          if (ranks.rank() >= bad) {
            throw Error(ExitCode::cannot_here, "no room");
          }
        });
        return "";
      } catch (const AgreedError& error) {
        EXPECT_EQ(error.code(), ExitCode::cannot_here);
        return error.what();
      }
    });
  };
  EXPECT_EQ(refusal_of(1), std::vector<std::string>(3, "rank 1: no room"));
  EXPECT_EQ(refusal_of(0), std::vector<std::string>(3, "no room"));
  EXPECT_EQ(refusal_of(3), std::vector<std::string>(3, ""));
}

TEST(RankTalk, NamesTheRankWithAnotherText) {
  const auto found = each_of_three([](Collectives& ranks) -> std::string {
    expect_equal(&ranks, "list of cases", "same");
    try {
      expect_equal(&ranks, "list of cases", ranks.rank() == 2 ? "b" : "a");
      return "";
    } catch (const AgreedError& error) {
      return error.what();
    }
  });
  EXPECT_EQ(found, std::vector<std::string>(
                       3, "ranks: rank 2 has another list of cases than rank 0: b and a"));
}

TEST(RankTalk, AloneEverythingIsOnesOwn) {
  EXPECT_TRUE(is_first(nullptr));
  EXPECT_EQ(text_of_first(nullptr, "own"), "own");
  EXPECT_EQ(texts_of_each(nullptr, "own"), std::vector<std::string>{"own"});
  EXPECT_EQ(most_of_ranks(nullptr, -2), -2);
  expect_equal(nullptr, "text", "own");
  EXPECT_THROW(together(nullptr, [] { throw_bad_input("as it is"); }), Error);
}

}  // namespace
}  // namespace voxmark

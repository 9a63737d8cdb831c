#include "benches/child/rehearsal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace voxmark {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

// Counts what reaches it.
class Counting final : public Collectives {
 public:
  int rank() const override { return 0; }
  int ranks() const override { return 3; }
  void gather(ExchangeKind, std::span<const double>, std::span<double>) override { ++calls; }
  void broadcast(std::span<std::byte>) override { ++calls; }
  void begin_sum(std::span<float>) override { ++calls; }
  void begin_sum(std::span<double>) override { ++calls; }
  void wait() override { ++calls; }
  void abandon() override { ++calls; }
  int calls = 0;
};

void step(Collectives& collectives, std::array<double, 6>& all) {
  const std::array own = {1.0, 2.0};
  std::array<float, 5> gradient{};
  collectives.gather(ExchangeKind::statistics, own, all);
  collectives.gather(ExchangeKind::loss, std::span(own).first(1), std::span(all).first(3));
  collectives.begin_sum(std::span<float>(gradient));
  collectives.wait();
}

TEST(Rehearsal, PassesAllOnUntilItBegins) {
  Counting real;
  Rehearsal rehearsal(real);
  std::array<double, 6> all{};
  step(rehearsal, all);
  EXPECT_EQ(real.calls, 4);
  rehearsal.rehearse([&] { step(rehearsal, all); });
  EXPECT_EQ(real.calls, 4) << "nobody is waited for";
  step(rehearsal, all);
  EXPECT_EQ(real.calls, 8);
  rehearsal.abandon();
  EXPECT_EQ(real.calls, 9);
}

TEST(Rehearsal, NotesWhatAStepExchangesAndWhen) {
  Counting real;
  Rehearsal rehearsal(real);
  std::array<double, 6> all{};
  for (int i = 0; i < 2; ++i) {  // each anew
    const auto events = rehearsal.rehearse([&] {
      const std::array own = {1.0, 2.0};
      rehearsal.gather(ExchangeKind::statistics, own, all);
      EXPECT_THAT(all, ElementsAre(1, 2, 1, 2, 1, 2)) << "as if all ranks had these";
      step(rehearsal, all);
    });
    std::vector<std::string> kinds;
    std::vector<std::int64_t> bytes;
    double last = 0;
    for (const Rehearsal::Event& event : events) {
      kinds.push_back(event.kind);
      bytes.push_back(event.bytes);
      EXPECT_GE(event.at, last);
      last = event.at;
    }
    EXPECT_THAT(kinds, ElementsAre("statistics", "statistics", "loss", "gradients", "wait", "end"));
    EXPECT_THAT(bytes, ElementsAre(16, 16, 8, 20, 0, 0));
  }
}

TEST(SecondsBeforeEvents, AreThoseOfTheRankThatComesLast) {
  const std::vector<Rehearsal::Event> events = {
      {"statistics", 8, 0}, {"gradients", 8, 0}, {"wait", 0, 0}, {"end", 0, 0}};
  // Of two ranks, since the meeting before: the second is late at first, the first one then.
  const std::array since = {1.0, 0.5,  0.75, 0.25,  //
                            2.0, 0.25, 0.5,  0.125};
  EXPECT_THAT(seconds_before_events(events, since),
              ElementsAre(DoubleNear(2, 1e-12), DoubleNear(0.5, 1e-12), DoubleNear(0.25, 1e-12),
                          DoubleNear(0.25, 1e-12)));
}

}  // namespace
}  // namespace voxmark

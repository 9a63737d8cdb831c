#include "benches/run/rank_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "benches/protocol/case_work.h"
#include "workloads/network/cost.h"

namespace voxmark {
namespace {

using Kind = ExchangeEvent::Kind;

// Forward with one meeting, the loss, two messages behind a second of backward pass each.
StepTrace trace(double scale = 1) {
  return {{{Kind::statistics, 100, 1 * scale},
           {Kind::loss, 24, 0.5 * scale},
           {Kind::gradients, 1000, 1 * scale},
           {Kind::gradients, 1000, 1 * scale},
           {Kind::wait, 0, 0.25 * scale}},
          0.25 * scale};
}

Duration constant(double seconds) { return Duration(Duration::Points{{0, seconds}}); }

// A wire of so many bytes per second, without latency.
Duration by_bandwidth(double bytes_per_second) {
  return Duration(Duration::Points{{0, 0}, {1e6, 1e6 / bytes_per_second}});
}

TEST(PredictedStep, IsThatOfOneProcessOnAnInfiniteNetwork) {
  const PredictedStep step = predicted_step(trace(), Wire{});
  EXPECT_DOUBLE_EQ(step.seconds, trace().computing_seconds());
  EXPECT_DOUBLE_EQ(step.computing, 4);
  EXPECT_EQ(step.statistics + step.loss + step.gradients + step.hidden, 0);
}

TEST(PredictedStep, IsTheWiresWhereNothingIsComputed) {
  Wire network;
  network.meeting = constant(0.125);
  network.sum = by_bandwidth(1000);
  const PredictedStep step = predicted_step(trace(0), network);
  EXPECT_DOUBLE_EQ(step.computing, 0);
  EXPECT_DOUBLE_EQ(step.statistics, 0.125);
  EXPECT_DOUBLE_EQ(step.loss, 0.125);
  EXPECT_DOUBLE_EQ(step.gradients, 2);
  EXPECT_DOUBLE_EQ(step.seconds, 2.25);
  EXPECT_EQ(step.hidden, 0);
}

TEST(PredictedStep, HidesMessagesBehindWhatIsComputedAfterThem) {
  Wire network;
  network.sum = by_bandwidth(1000 / 0.75);  // 0.75 s each: the first behind 1 s, the second 0.25 s
  const PredictedStep step = predicted_step(trace(), network);
  EXPECT_DOUBLE_EQ(step.gradients, 0.5);
  EXPECT_DOUBLE_EQ(step.hidden, 1);
  EXPECT_DOUBLE_EQ(step.seconds, 4.5);
}

TEST(PredictedStep, SendsOneMessageAfterTheOther) {
  Wire network;
  network.sum = by_bandwidth(1000 / 1.5);  // the second waits 0.5 s for the first
  const PredictedStep step = predicted_step(trace(), network);
  EXPECT_DOUBLE_EQ(step.gradients, 0.5 + 1.5 - 0.25);
  EXPECT_DOUBLE_EQ(step.hidden + step.gradients, 3);
}

TEST(PredictedStep, TakesTheCpuTimeOfMessagesFromComputing) {
  Wire network;
  network.sum = constant(0.2);
  network.cpu_of_sum = constant(0.1);
  const PredictedStep step = predicted_step(trace(), network);
  EXPECT_DOUBLE_EQ(step.computing, 4.2);
  EXPECT_EQ(step.gradients, 0);
  EXPECT_DOUBLE_EQ(step.seconds, 4.2);
}

TEST(PredictedStep, MeetsLaterWhileGradientsAreOnTheWire) {
  StepTrace own{{{Kind::gradients, 1000, 1},
                 {Kind::statistics, 8, 0.5},
                 {Kind::statistics, 8, 5},
                 {Kind::wait, 0, 0}},
                0};
  Wire network;
  network.meeting = constant(0.01);
  network.meeting_delay = 0.04;
  network.sum = constant(1);
  EXPECT_DOUBLE_EQ(predicted_step(own, network).statistics, 0.05 + 0.01);
}

TEST(Duration, LiesOnLinesBetweenWhatIsKnown) {
  const Duration duration({{100, 1}, {200, 2}, {400, 3}});
  EXPECT_DOUBLE_EQ(duration.of(1), 1) << "latency";
  EXPECT_DOUBLE_EQ(duration.of(100), 1);
  EXPECT_DOUBLE_EQ(duration.of(150), 1.5);
  EXPECT_DOUBLE_EQ(duration.of(300), 2.5);
  EXPECT_DOUBLE_EQ(duration.of(600), 4) << "the bandwidth of the last two";
  EXPECT_DOUBLE_EQ(constant(7).of(1 << 30), 7);
}

RankLimits limits(int ranks) {
  RankLimits limits;
  limits.ranks = ranks;
  limits.threads = 1;
  limits.has_spare_cpus = false;
  MessageLimit own;
  own.bytes = 512;
  own.seconds = 0.125;
  own.cpu_seconds = 0.0625;
  limits.gathers = {own};
  limits.sums = {own};
  own.seconds = 0.25;
  limits.gather_behind_sum = own;
  return limits;
}

Json told() {
  return parse_json(R"({"rehearsal": {"steps": 1, "step_seconds": 3, "rest_seconds": 1,
    "events": [{"kind": "statistics", "bytes": 24, "seconds": 1},
               {"kind": "gradients", "bytes": 512, "seconds": 0.5},
               {"kind": "wait", "bytes": 0, "seconds": 0.5}]}})",
                    "ranks");
}

Program small_program(bool across_ranks) {
  CaseSpec spec;
  spec.image = {16, 16, 16};
  spec.ranks = 2;
  spec.batch_norm = across_ranks ? "global" : "local";
  return training_program(spec);
}

std::int64_t count_of(const StepTrace& trace, Kind kind) {
  return std::ranges::count(trace.events, kind, &ExchangeEvent::kind);
}

TEST(PlannedTrace, HasTwoMeetingsOfEachBatchNormAndAllGradientsOnce) {
  const Program program = small_program(true);
  const auto norms = std::ranges::count_if(program.ops, [](const Op& op) {
    return std::holds_alternative<BatchNormStatistics>(op.kind);
  });
  ASSERT_GT(norms, 0);
  const StepTrace own = planned_trace(program, sizeof(float), 3);
  EXPECT_NEAR(own.computing_seconds(), 3, 1e-9);
  EXPECT_EQ(count_of(own, Kind::statistics), 2 * norms);
  EXPECT_EQ(count_of(own, Kind::loss), 1);
  EXPECT_EQ(count_of(own, Kind::wait), 1);
  EXPECT_EQ(own.events.back().kind, Kind::wait);
  const StepTrace local = planned_trace(small_program(false), sizeof(float), 3);
  EXPECT_EQ(count_of(local, Kind::statistics), 0);
  std::int64_t bytes = 0;
  for (const ExchangeEvent& event : local.events) {
    bytes += event.kind == Kind::gradients ? event.bytes : 0;
  }
  EXPECT_EQ(bytes, 4 * count_parameters(program).trainable) << "each rank's own batch norms, too";
}

TEST(AssumedWire, IsFreeForOneRankAndSendsEachMessageThereAndBack) {
  EXPECT_EQ(assumed_wire(1, 1e-3, 1e6).meeting.of(1000), 0);
  EXPECT_EQ(assumed_wire(1, 1e-3, 1e6).sum.of(1000), 0);
  EXPECT_NEAR(assumed_wire(2, 1e-3, 1e6).meeting.of(1000), 2e-3, 1e-12);
  EXPECT_NEAR(assumed_wire(2, 0, 1e6).sum.of(1000), 1e-3, 1e-12);
  EXPECT_NEAR(assumed_wire(64, 1e-6, 1e12).meeting.of(8), 6e-6, 1e-9);
  EXPECT_NEAR(assumed_wire(64, 0, 1e6).sum.of(6400), 2 * 6300e-6, 1e-9);
}

TEST(WireOf, IsWhatWasMeasured) {
  const Wire network = wire_of(limits(2));
  EXPECT_DOUBLE_EQ(network.meeting.of(8), 0.125);
  EXPECT_DOUBLE_EQ(network.meeting_delay, 0.125);
  EXPECT_DOUBLE_EQ(network.cpu_of_sum.of(512), 0.0625);
  RankLimits spare = limits(2);
  spare.has_spare_cpus = true;
  EXPECT_EQ(wire_of(spare).cpu_of_sum.of(512), 0);
}

TEST(RankModelOfACase, TakesTheLimitsOfItsRanks) {
  CaseSpec spec;
  spec.ranks = 2;
  spec.threads = 1;
  RankLimits failed;
  failed.ranks = 4;
  failed.threads = 1;
  failed.reason = "no ssh";
  const std::vector<RankLimits> all = {limits(3), limits(2), failed};
  const RankModel model = rank_model(spec, told(), all);
  ASSERT_TRUE(model.seconds);
  EXPECT_DOUBLE_EQ(*model.statistics_seconds, 0.125);
  EXPECT_DOUBLE_EQ(*model.computing_seconds, 3.0625);
  EXPECT_DOUBLE_EQ(*model.seconds, 3.1875);

  EXPECT_EQ(rank_model(spec, Json::object(), all).reason, "the ranks did not rehearse the step");
  spec.ranks = 4;
  EXPECT_EQ(rank_model(spec, told(), all).reason, "no ssh");
  spec.ranks = 8;
  EXPECT_FALSE(rank_model(spec, told(), all).seconds);
}

}  // namespace
}  // namespace voxmark

#include "backends/plan/plan_by_layer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "backends/plan/keeps_everything.h"
#include "base/error.h"
#include "workloads/network/kept_bytes.h"

namespace voxmark {
namespace {

Network tiny_network() {
  NetworkBuilder net("tiny", 1);
  net.sigmoid("p", net.convolution("mask", net.convolution("c", net.input(), 2, 1), 1, 1));
  return std::move(net).build();
}

struct Planned {
  Network network = tiny_network();
  Program program = lower(network, 1, {2, 2, 2}, Mode::training);
  MemoryPlan plan;

  Planned() {
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
      plan.steps.push_back(static_cast<OpId>(i));
    }
  }
  int step_of(const std::string& op, const std::string& layer) const {
    for (std::size_t i = 0; i < program.ops.size(); ++i) {
      if (op_name(program.ops[i]) == op && program.ops[i].layer == layer) {
        return static_cast<int>(i);
      }
    }
    ADD_FAILURE() << op << " of " << layer;
    return 0;
  }
  void place(const std::vector<std::string>& names, std::int64_t bytes, int first, int last) {
    PlannedBuffer buffer{{}, bytes, first, last};
    for (const std::string& name : names) {
      buffer.tensors.push_back(program.find(name));
    }
    plan.buffers.push_back(buffer);
  }
  PlanByLayer layers() const { return plan_by_layer("some", network, program, plan); }
};

const LayerBytes& row_of(const PlanByLayer& plan, const std::string& layer) {
  const auto found = std::ranges::find(plan.rows, layer, &LayerBytes::layer);
  EXPECT_NE(found, plan.rows.end()) << layer;
  return *found;
}

TEST(PlanByLayer, TellsWhatIsInUseAtThePeakAndWhatLiesBetween) {
  Planned p;
  const int backward = p.step_of("convolution_backward_weights", "mask");
  p.place({"c"}, 64, 0, backward);
  p.place({"mask"}, 32, 1, backward - 3);
  p.place({"gradient/mask"}, 100, backward - 2, backward);
  p.place({"c/kernel"}, 8, 0, static_cast<int>(p.plan.steps.size()) - 1);
  p.place({}, 16, backward, backward);
  p.plan.bytes = {{"all", 64 + 100 + 8 + 16 + 5}};
  const PlanByLayer layers = p.layers();
  EXPECT_EQ(layers.peak_step, backward);
  EXPECT_EQ(layers.peak_phase, "backward");
  EXPECT_EQ(layers.peak_layer, "mask");
  EXPECT_EQ(layers.peak_op, "convolution_backward_weights");
  EXPECT_EQ(row_of(layers, "c").forward, 64);
  EXPECT_EQ(row_of(layers, "c").weights, 8);
  EXPECT_EQ(row_of(layers, "c").keeping, Keeping::kept);
  EXPECT_EQ(row_of(layers, "c").kept, 64);
  EXPECT_EQ(row_of(layers, "mask").forward, 0);  // it had gone
  EXPECT_EQ(row_of(layers, "mask").output_bytes, 32);
  EXPECT_EQ(row_of(layers, "mask").backward, 100);
  EXPECT_EQ(row_of(layers, "mask").keeping, Keeping::not_kept);
  EXPECT_EQ(row_of(layers, kWorkspace).other, 16);
  EXPECT_EQ(row_of(layers, kGaps).other, 5);
}

TEST(PlanByLayer, TellsWhatIsComputedAgainAndWhatLiesInAnother) {
  Planned p;
  const int backward = p.step_of("convolution_backward_weights", "mask");
  p.place({"c"}, 64, 0, 1);
  p.place({"c"}, 64, backward, backward);
  p.place({"p", "mask"}, 48, 1, backward);
  p.plan.bytes = {{"all", 64 + 48}};
  const PlanByLayer layers = p.layers();
  EXPECT_EQ(row_of(layers, "c").keeping, Keeping::computed_again);
  EXPECT_EQ(row_of(layers, "c").kept, 0);
  EXPECT_EQ(row_of(layers, "c").output_bytes, 64);  // once
  EXPECT_EQ(row_of(layers, "p").keeping, Keeping::kept);
  EXPECT_EQ(row_of(layers, "mask").keeping, Keeping::in_another);
  EXPECT_EQ(row_of(layers, "mask").lies_in, "p");
  EXPECT_EQ(layers.peak_step, 1);
  EXPECT_EQ(layers.peak_phase, "forward");
}

TEST(PlanByLayer, LayersStandInTheNetworksOrder) {
  Planned p;
  p.place({"target"}, 32, 0, 0);
  const PlanByLayer layers = p.layers();
  ASSERT_GE(layers.rows.size(), 4U);
  for (std::size_t i = 0; i < p.network.layers.size(); ++i) {
    EXPECT_EQ(layers.rows[i].layer, p.network.layers[i].name);
  }
  EXPECT_EQ(layers.rows[4].layer, "loss");
}

TEST(PlanByLayer, RefusesAPlanThatDoesNotTell) {
  Planned p;
  EXPECT_THROW(p.layers(), Error);
}

TEST(KeepsEverything, PlansItsArithmetic) {
  const Network network = unet3d({4, 1, 2});
  const Program program = lower(network, 2, {16, 16, 32}, Mode::training);
  for (const Precision precision : {Precision::fp32, Precision::bf16, Precision::fp64}) {
    const MemoryPlan plan = keeps_everything_backend().plan(program, {precision, 1, {}});
    EXPECT_EQ(plan.total_bytes(), keeps_everything_bytes(program, precision));
    const PlanByLayer layers = plan_by_layer(kKeepsEverything, network, program, plan);
    EXPECT_EQ(layers.peak_step, std::nullopt);
    std::int64_t sum = 0;
    for (const LayerBytes& row : layers.rows) {
      sum += row.total();
      EXPECT_EQ(row.kept, row.output_bytes) << row.layer;
    }
    EXPECT_EQ(sum, plan.total_bytes());
    EXPECT_EQ(layers.rows.back().layer, "optimizer");  // no workspace, no gaps
  }
  EXPECT_THROW(keeps_everything_backend().compile(program, {}), Error);
}

}  // namespace
}  // namespace voxmark
